"""Every exporter's contract, and an exporter of another package on its way through a bundle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from devices.backends.coreml.target import CoreMlTarget
from devices.device import Device
from devices.registry import DEVICES, get_device
from export.bundle.certificate import Certificate, certify
from export.bundle.manifest import Manifest, read_manifest
from export.bundle.segment import Segmenter
from export.bundle.verify import verify_bundle
from export.exporter import Exporter
from export.registry import EXPORTERS, get_exporters
from foundation import registry
from foundation.errors import UserError
from latseg.testing.exporter_contract import ExporterContract, pair_source
from tests.export.conftest import NEED_INSTALLATION
from tests.export.packed import PackedExporter, Unpacker
from tests.export.runtime_device import INFO, RuntimeDevice, measurement

Make = Callable[..., Manifest]


class TestBuiltIn(ExporterContract):
    @pytest.fixture(
        params=[
            pytest.param(name, marks=[pytest.mark.targets] if name in NEED_INSTALLATION else [])
            for name in EXPORTERS.builtin
        ]
    )
    def exporter(self, request: pytest.FixtureRequest) -> Exporter:
        found = EXPORTERS.get(request.param)()
        assert found.format == request.param
        if not found.availability().available:
            pytest.skip(found.availability().reason)
        return found


class TestPacked(ExporterContract):
    @pytest.fixture
    def exporter(self) -> Exporter:
        return PackedExporter()

    @pytest.fixture
    def device(self) -> Device:
        return Unpacker()


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another package with a format and its device."""
    found = {
        "latseg.exporters": EntryPoint("packed", "tests.export.packed:PackedExporter", "latseg.exporters"),
        "latseg.devices": EntryPoint("unpacker", "tests.export.packed:Unpacker", "latseg.devices"),
    }
    monkeypatch.setattr(registry, "entry_points", lambda group: [found[group]] if group in found else [])
    for kind in (EXPORTERS, DEVICES):
        kind.__dict__.pop("targets", None)
    yield
    for kind in (EXPORTERS, DEVICES):
        kind.__dict__.pop("targets", None)


@pytest.mark.usefixtures("installed")
class TestInstalled:
    def test_its_file_is_checked_by_its_device(self, make_bundle: Make, tmp_path: Path) -> None:
        make_bundle(formats=["packed"], get_device=get_device)
        file = read_manifest(tmp_path / "bundle").file("packed")
        assert (file.device, file.path, file.executed) == ("unpacker", "packed/model.gz", True)
        assert file.parity_max_abs is not None
        result = verify_bundle(tmp_path / "bundle", measure=False)
        assert result.ok, result.checks
        names = [check.name for check in result.checks]
        assert "parity of packed/model.gz (packed)" in names
        assert "hash of packed/second.txt" in names

    def test_it_segments(self, make_bundle: Make, tmp_path: Path) -> None:
        make_bundle(formats=["packed"], get_device=get_device)
        photo = tmp_path / "photo.png"
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)).save(photo)
        bundle = tmp_path / "bundle"
        ours = Segmenter(bundle).segment_file(photo, tmp_path / "onnx")
        packed = Segmenter(bundle, file_format="packed").segment_file(photo, tmp_path / "packed")
        assert packed.mask.read_bytes() == ours.mask.read_bytes()
        (bundle / "packed" / "model.gz").write_bytes(b"not packed")
        with pytest.raises(UserError, match="the file was changed"):
            Segmenter(bundle, file_format="packed").segment_file(photo, tmp_path / "packed")

    def test_its_budget_is_measured_on_its_device(self, make_bundle: Make, tmp_path: Path) -> None:
        make_bundle(formats=["packed"], get_device=get_device)
        info = replace(INFO, name="unpacker")
        taken = measurement(tmp_path / "bundle" / "packed" / "model.gz", info=info)
        certificate = certify(taken, budget_ms=5.0, noise_floor_percent=2.0)
        assert isinstance(certificate, Certificate)
        manifest = make_bundle(formats=["packed"], get_device=get_device, certificates=[certificate])
        assert (manifest.file("packed").measured_ms, manifest.file("onnx").measured_ms) == (4.0, None)
        result = verify_bundle(tmp_path / "bundle")
        assert [(check.name, check.ok) for check in result.checks][-1] == ("budget on unpacker", True)

    def test_its_options_are_written_after_its_name(self, make_bundle: Make, tmp_path: Path) -> None:
        best = make_bundle(formats=["packed"], get_device=get_device).file("packed")
        stored = make_bundle(formats=["packed:level=0"], get_device=get_device).file("packed")
        assert stored.bytes > best.bytes

    def test_a_converter_that_is_missing(self, make_bundle: Make, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"export format packed: got no gzip here; .*; install gzip"):
            make_bundle(formats=["packed:usable=false"], get_device=get_device)
        assert not (tmp_path / "bundle").exists()


def test_a_device_that_is_not_here_leaves_its_file_unverified(
    make_bundle: Make, tmp_path: Path, installed: None
) -> None:
    make_bundle(formats=["packed"], get_device=get_device)

    def without(name: str, /, *, threads: int = 1) -> Device:
        if name == "unpacker":
            raise UserError("device", seen=name, expected="cpu", remedy="choose one of these")
        return RuntimeDevice(name=name)

    (failed,) = [check for check in verify_bundle(tmp_path / "bundle", get_device=without).checks if not check.ok]
    assert failed.name == "parity of packed/model.gz (packed)"
    assert "not run: device: got unpacker" in failed.detail


def test_onnx_is_first_and_the_last_mention_counts() -> None:
    assert [exporter.format for exporter in get_exporters(["openvino"])] == ["onnx", "openvino"]
    (exporter,) = get_exporters(["onnx:opset=18", "onnx:opset=19"])
    assert exporter.opset == 19


@pytest.mark.parametrize("name", ["onnx", "onnx-dynamic", "onnx-uint8"])
def test_opset_of_each_onnx_format(make_bundle: Make, tmp_path: Path, name: str) -> None:
    manifest = make_bundle(formats=[f"{name}:opset=18"], model_path=None, certificates=())
    model = onnx.load(tmp_path / "bundle" / manifest.file(name).path)
    assert model.opset_import[0].version == 18


def test_the_opset_of_a_measured_file_stays(make_bundle: Make) -> None:
    with pytest.raises(UserError, match="opset of the format onnx: got 18; expected 17, that of the file"):
        make_bundle(formats=["onnx:opset=18"])
    assert make_bundle(formats=["onnx:opset=17"]).file("onnx").measured_ms == 4.0


@pytest.mark.parametrize("name", ["coreml", "executorch", "litert", "mnn"])
def test_a_converter_that_refuses_is_named_by_its_format(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise UserError("converter", seen="operator Mish", expected="another", remedy="mend it")

    exporter = EXPORTERS.get(name)()
    module = import_module(type(exporter).__module__)
    monkeypatch.setattr(CoreMlTarget, "compile", refuse)
    if name != "coreml":
        monkeypatch.setattr(module, "convert", refuse)
    line = f"^export format {name}: got operator Mish; expected another; export another format$"
    with pytest.raises(UserError, match=line):
        exporter.write(pair_source(), tmp_path)


def test_packages_of_installations_are_versions(make_bundle: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EXPORTERS.get("openvino"), "packages", ("onnx2tf==2.6.9", "torch==0.1", "@scope/page@1.30.0"))
    versions = make_bundle(formats=["openvino"]).versions
    assert (versions["onnx2tf"], versions["@scope/page"]) == ("2.6.9", "1.30.0")
    assert versions["torch"] != "0.1"  # that of this environment
    assert "onnx2tf" not in make_bundle().versions


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("coreml", "coremltools"),
        ("executorch", "executorch"),
        ("litert", "onnx2tf"),
        ("qnn", "onnxruntime-qnn"),
        ("web", "onnxruntime-web"),
    ],
)
def test_the_converter_is_among_the_packages(name: str, package: str) -> None:
    assert any(each.startswith((f"{package}==", f"{package}@")) for each in EXPORTERS.get(name).packages)


@pytest.mark.parametrize("text", ["onnx:opset=16", "onnx:opset=21", "onnx-uint8:size=3"])
def test_options_that_a_format_does_not_have(text: str) -> None:
    with pytest.raises(UserError, match=f"export format '{text}'"):
        get_exporters([text])


@pytest.mark.parametrize("name", ["onnx-dynamic", "onnx-uint8"])
def test_formats_for_pictures_only(name: str, tmp_path: Path) -> None:
    (exporter,) = get_exporters([name])[1:]
    with pytest.raises(UserError, match=f"export format {name}: got a network with the inputs values, kinds"):
        exporter.write(pair_source(), tmp_path)
