"""Half precision and eight bits: written where they are faster and keep the masks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from devices.device import Candidate
from devices.measurement import FailedMeasurement, Measurement
from export.bundle.examples import make_examples
from export.bundle.manifest import BundleFile, Manifest, read_manifest
from export.bundle.verify import verify_bundle
from export.bundle.write_model import ParityError, write_model
from export.bundle.write_models import write_models
from export.registry import get_exporters
from export.source import Source
from export.to_onnx import OnnxExporter
from export.to_reduced_onnx import Float16OnnxExporter, Int8OnnxExporter, ReducedOnnxExporter
from latseg.testing import exporter_contract
from tests.export.conftest import segmentation_source
from tests.export.runtime_device import RuntimeDevice
from tests.export.small_network import small_network

Make = Callable[..., Manifest]
FP16 = "model_fp16.onnx"


class Timed(RuntimeDevice):
    """``model.onnx`` takes 4 ms, any other file ``factor`` times as long; intervals are 1 % wide to each side."""

    factor = 1.35
    wrong = False
    fails = False
    groups: tuple[tuple[str, ...], ...] = ()

    def measure(self, candidates: Sequence[Candidate], **_: object) -> Iterator[Measurement | FailedMeasurement]:
        Timed.groups += (tuple(each.path.name for each in candidates),)
        for each in reversed(candidates):
            self.latency_ms = 4.0 * (1 if each.path.name == "model.onnx" else self.factor)
            self.crashes = self.fails and each.path.name != "model.onnx"
            yield from super().measure([each], nominal_reference_ms=1.0, protocol=None)

    def infer(self, path: Path, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        (logits,) = super().infer(path, inputs)
        flipped = self.wrong and path.name != "model.onnx"
        return [logits[:, ::-1] if flipped else logits]


@pytest.fixture
def export(make_bundle: Make, tmp_path: Path) -> Callable[..., Manifest]:
    def make(name: str = "onnx-fp16", **settings: object) -> Manifest:
        kind = type("Timed", (Timed,), settings)
        Timed.groups = ()
        get_device = lambda name, threads=1: kind(name=name)  # noqa: E731
        make_bundle(formats=[name], get_device=get_device)
        assert verify_bundle(tmp_path / "bundle", get_device=get_device, measure=False).ok
        return read_manifest(tmp_path / "bundle")

    return make


def test_what_is_slower_is_not_written(export: Callable[..., Manifest], tmp_path: Path) -> None:
    manifest = export(factor=1.35)
    assert Timed.groups == (("model.onnx", FP16),)  # in turns
    (reason,) = manifest.left_out
    assert reason.startswith("onnx-fp16 takes 1.35 times the time and 0.")
    assert not (tmp_path / "bundle" / FP16).exists()
    assert f"- Not written: {reason}." in (tmp_path / "bundle" / "README.md").read_text()
    assert [file.format for file in manifest.models] == ["onnx"]


def test_what_is_faster_is_written(export: Callable[..., Manifest], tmp_path: Path) -> None:
    manifest = export(factor=0.5)
    file = manifest.file("onnx-fp16")
    assert (manifest.left_out, file.executed, file.precision) == ((), True, "float16")
    assert "; 0.50 times the time and 0." in file.note
    assert file.bytes == (tmp_path / "bundle" / FP16).stat().st_size < manifest.file("onnx").bytes


def test_what_may_be_as_fast_is_not_written(export: Callable[..., Manifest]) -> None:
    """The intervals touch."""
    assert export(factor=0.985).left_out
    assert not export(factor=0.97).left_out


def test_the_user_may_force_it(export: Callable[..., Manifest]) -> None:
    manifest = export("onnx-fp16:force=true", factor=2.0)
    assert "; 2.00 times the time" in manifest.file("onnx-fp16").note


class TwoFiles(Float16OnnxExporter):
    """Writes a second file into a folder."""

    def write(self, source: Source, folder: Path) -> BundleFile:
        (folder / "tables").mkdir()
        (folder / "tables" / "table.bin").write_bytes(b"1")
        return super().write(source, folder)


def test_nothing_stays_of_what_is_left_out(tmp_path: Path) -> None:
    source = segmentation_source(small_network())
    exporters = [OnnxExporter(), TwoFiles()]
    models, (reason,) = write_models(exporters, source, tmp_path, make_examples(source), lambda name: Timed())
    assert (len(models), reason[:15]) == (1, "onnx-fp16 takes")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["model.onnx"]


@pytest.mark.parametrize("name", ["onnx-fp16", "onnx-fp16:force=true"])
def test_other_masks_are_never_written(export: Callable[..., Manifest], name: str) -> None:
    (reason,) = export(name, factor=0.5, wrong=True).left_out
    assert reason.startswith("onnx-fp16 has a largest difference ")
    assert ", mask IoU 0." in reason


def test_the_error_names_the_precision(tmp_path: Path) -> None:
    source = segmentation_source(small_network())
    OnnxExporter().write(source, tmp_path)
    wrong = Timed()
    wrong.wrong = True
    with pytest.raises(
        ParityError, match=r"expected masks that agree .*; the network needs more precision than float16"
    ):
        write_model(Float16OnnxExporter(), source, tmp_path, make_examples(source), lambda name: wrong)


def test_what_cannot_be_measured_is_not_written(export: Callable[..., Manifest], make_bundle: Make) -> None:
    assert export(factor=0.5, fails=True).left_out == ("onnx-fp16 cannot be measured: out of memory",)
    missing = make_bundle(formats=["onnx-fp16"], get_device=lambda name, threads=1: RuntimeDevice(usable=False))
    assert missing.left_out == ("onnx-fp16 cannot be measured here",)


def written(exporter: ReducedOnnxExporter, source: Source, folder: Path) -> onnx.ModelProto:
    folder.mkdir()
    OnnxExporter().write(source, folder)
    exporter.write(source, folder)
    model = onnx.load(folder / exporter.file_name)
    onnx.checker.check_model(model, full_check=True)
    assert [value.type.tensor_type.elem_type for value in (*model.graph.input, *model.graph.output)] == [1, 1]
    return model


def test_half_precision(tmp_path: Path) -> None:
    model = written(Float16OnnxExporter(), segmentation_source(small_network()), tmp_path / "new")
    weights = [tensor for tensor in model.graph.initializer if len(tensor.dims) == 4]
    assert weights
    assert {tensor.data_type for tensor in weights} == {onnx.TensorProto.FLOAT16}


def test_eight_bits(tmp_path: Path) -> None:
    """Also a grouped transposed convolution with a bias."""
    model = written(Int8OnnxExporter(), segmentation_source(small_network()), tmp_path / "new")
    kinds = {tensor.data_type for tensor in model.graph.initializer if len(tensor.dims) == 4}
    assert onnx.TensorProto.INT8 in kinds
    by_channel = [tensor for tensor in model.graph.initializer if tensor.name.endswith("_scale") and tensor.dims]
    assert by_channel


def test_ranges_are_those_of_the_photographs(tmp_path: Path) -> None:
    plain = exporter_contract.segmentation_source()
    white = replace(plain, photographs=[np.full((40, 40, 3), 255, np.uint8)])
    models = [written(Int8OnnxExporter(), each, tmp_path / str(n)) for n, each in enumerate((plain, white, white))]
    first, second, third = (model.SerializeToString(deterministic=True) for model in models)
    assert first != second == third


def test_quantising_leaves_the_log_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    level = logging.getLogger().level
    written(Int8OnnxExporter(), exporter_contract.segmentation_source(), tmp_path / "new")
    assert logging.getLogger().level == level
    assert not caplog.records


def test_options() -> None:
    assert [exporter.force for exporter in get_exporters(["onnx-int8:force=true", "onnx-fp16"])] == [False, True, False]
