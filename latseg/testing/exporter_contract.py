"""What every exporter must do. Subclass, name the class ``Test…``, and give an ``exporter`` fixture."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import JsonValue
from torch import Tensor, nn

from devices.model_file import sha256_of
from devices.registry import get_device
from devices.target import RunningTarget
from export.bundle.examples import make_examples
from export.bundle.manifest import BundleFile
from export.exporter import Exporter
from export.parity import Example, check_parity
from export.runner import runner_of
from export.source import Source
from export.to_onnx import OnnxExporter
from foundation.errors import DeviceUnavailableError, UserError

HEIGHT, WIDTH = 32, 48
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def segmentation_source(seed: int = 0) -> Source:
    """A network of two convolutions that segments pictures of 32 x 48."""
    torch.manual_seed(seed)
    norm = nn.BatchNorm2d(8)
    nn.init.normal_(norm.running_mean)  # type: ignore[arg-type]
    nn.init.uniform_(norm.running_var, 0.5, 2)  # type: ignore[arg-type]
    network = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), norm, nn.ReLU(), nn.ConvTranspose2d(8, 2, 2, 2))
    description: dict[str, JsonValue] = {
        "task": "segmentation",
        "classes": ["background", "person"],
        "normalisation": {"mean": list(MEAN), "std": list(STD)},
    }
    photograph = np.random.default_rng(seed).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    return Source(network, {"image": torch.zeros(1, 3, HEIGHT, WIDTH)}, description, [photograph], seed=seed)


class Pair(nn.Module):
    """Two inputs of different kind and two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(5, 4)
        self.linear = nn.Linear(4, 3)

    def forward(self, values: Tensor, kinds: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.linear(values + self.embedding(kinds))
        return hidden, hidden.sum(1)


def pair_source(seed: int = 0) -> Source:
    """A network that does not segment pictures: float32 7 x 4 and int64 7."""
    torch.manual_seed(seed)
    inputs = {"values": torch.randn(7, 4), "kinds": torch.randint(0, 5, (7,))}
    return Source(Pair(), inputs, {"task": "pairs"})


class ExporterContract:
    """The conformance suite of ``export.exporter.Exporter``."""

    converter_modules: tuple[str, ...] = ()
    """Modules that constructing the exporter must not import."""

    @pytest.fixture
    def device(self, exporter: Exporter) -> RunningTarget:
        """Runs the exporter's files; the registered device of that name, or the emulator of a compiled target."""
        try:
            device = runner_of(exporter.device, get_device)
        except DeviceUnavailableError as error:
            pytest.skip(str(error))
        availability = device.availability()
        if not availability.available:
            pytest.skip(availability.reason)
        return device

    def write(self, exporter: Exporter, source: Source, folder: Path) -> BundleFile:
        """Writes the file as ``write_bundle`` does, beside ``model.onnx``."""
        folder.mkdir()
        if exporter.format != "onnx":
            OnnxExporter().write(source, folder)
        return exporter.write(source, folder)

    def examples(self, exporter: Exporter, source: Source) -> list[Example]:
        exact = exporter.precision == "float32"
        return [one for one in make_examples(source, dynamic=exporter.dynamic) if exact or one.natural]

    def test_it_can_be_used_here(self, exporter: Exporter) -> None:
        assert exporter.availability().available

    def test_constructing_loads_no_converter(self, exporter: Exporter) -> None:
        kind = type(exporter)
        code = (
            f"import sys; from {kind.__module__} import {kind.__name__}; {kind.__name__}(); "
            f"sys.exit(any(m in sys.modules for m in {self.converter_modules!r}))"
        )
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

    def test_the_entry_describes_the_file(self, exporter: Exporter, tmp_path: Path) -> None:
        entry = self.write(exporter, segmentation_source(), tmp_path / "new")
        path = tmp_path / "new" / exporter.file_name
        assert (entry.path, entry.format) == (exporter.file_name, exporter.format)
        assert (entry.sha256, entry.bytes) == (sha256_of(path), path.stat().st_size)
        assert (entry.device, entry.input, entry.dynamic) == (exporter.device, exporter.input, exporter.dynamic)
        assert entry.parity_only == exporter.parity_only
        assert not entry.executed

    def test_the_measured_file_is_left_as_it_is(self, exporter: Exporter, tmp_path: Path) -> None:
        measured = tmp_path / "measured.onnx"
        OnnxExporter().write(segmentation_source(), tmp_path)
        (tmp_path / "model.onnx").rename(measured)
        source = segmentation_source()
        source = Source(source.module, source.inputs, source.description, model_path=measured)
        self.write(exporter, source, tmp_path / "new")
        assert (tmp_path / "new" / "model.onnx").read_bytes() == measured.read_bytes()

    def test_the_network_is_left_as_it_is(self, exporter: Exporter, tmp_path: Path) -> None:
        source = segmentation_source()
        source.module.train()
        before = {name: value.clone() for name, value in source.module.state_dict().items()}
        self.write(exporter, source, tmp_path / "new")
        assert all(part.training for part in source.module.modules())
        assert all(torch.equal(before[name], value) for name, value in source.module.state_dict().items())

    def test_the_file_computes_what_torch_computes(
        self, exporter: Exporter, device: RunningTarget, tmp_path: Path
    ) -> None:
        source = segmentation_source()
        entry = self.write(exporter, source, tmp_path / "new")
        path = tmp_path / "new" / entry.path
        own, other = (
            check_parity(path, self.examples(exporter, each), device.infer, entry.input, exact=entry.exact)
            for each in (source, segmentation_source(1))
        )
        assert own.ok, own
        assert not other.ok

    def test_a_network_that_does_not_segment(self, exporter: Exporter, device: RunningTarget, tmp_path: Path) -> None:
        """Is written with all its inputs, or refused in one line."""
        source = pair_source()
        try:
            entry = self.write(exporter, source, tmp_path / "new")
        except UserError as error:
            assert exporter.format in str(error)  # noqa: PT017 - refusing is allowed
            return
        parity = check_parity(tmp_path / "new" / entry.path, make_examples(source), device.infer)
        assert parity.ok, parity
        assert not check_parity(tmp_path / "new" / entry.path, make_examples(pair_source(1)), device.infer).ok
