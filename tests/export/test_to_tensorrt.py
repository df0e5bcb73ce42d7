"""The format ``tensorrt``: what is written, and what the builder makes of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from devices.backends.tensorrt_rtx.installation import TensorRtRtxInstallation
from devices.registry import get_device
from devices.worker.transport import worker_environment
from export.bundle.manifest import Manifest
from export.bundle.manifest_checks import manifest_faults
from export.bundle.verify import verify_bundle

BUILD_ONLY = """
import runpy, sys
from devices.backends.tensorrt_rtx.compiler import _import_bindings
_import_bindings()
sys.argv = [sys.argv[1], "--build-only"]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""The program, in an environment in which TensorRT is not installed as a whole."""
Make = Callable[..., Manifest]
needs_builder = pytest.mark.skipif(
    not TensorRtRtxInstallation().is_installed(), reason="needs `latseg install tensorrt-rtx`"
)


def test_without_a_builder_the_note_says_so(make_bundle: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATSEG_RUNTIMES", str(tmp_path / "none"))
    entry = make_bundle(formats=["tensorrt"], get_device=get_device, certificates=()).file("tensorrt")
    assert "no engine was built here: tensorrt-rtx is not installed" in entry.note
    assert entry.executed
    found = verify_bundle(tmp_path / "bundle", measure=False).checks
    checks = {check.name: check.detail for check in found}
    assert checks["program build_engine.py"] == "the one that this version writes"
    parities = [check for check in found if "tensorrt" in check.name]
    assert parities
    assert all(check.ok for check in parities)
    names = {path.name for path in (tmp_path / "bundle").iterdir()}
    assert {"model.tensorrt.onnx", "model.tensorrt.npz", "build_engine.py"} <= names
    assert "model.rtx.engine" not in names


def test_half_precision_is_decided_in_the_file(make_bundle: Make, tmp_path: Path) -> None:
    text = "tensorrt:precision=float16"
    entry = make_bundle(formats=[text], certificates=()).file("tensorrt")
    assert entry.precision == "float16"
    types = {tensor.data_type for tensor in onnx.load(tmp_path / "bundle" / entry.path).graph.initializer}
    assert onnx.TensorProto.FLOAT16 in types


def test_what_the_cpu_takes_is_not_told(make_bundle: Make, tmp_path: Path) -> None:
    """The file is that of the certificate, byte for byte."""
    manifest = make_bundle(formats=["tensorrt"])
    entry, model = manifest.file("tensorrt"), manifest.file("onnx")
    assert (entry.sha256, model.measured_ms) == (model.sha256, 4.0)
    assert model.load_ms is not None
    assert (entry.measured_ms, entry.load_ms, entry.peak_memory_mb, entry.compute_units) == (None, None, None, ())
    assert not manifest_faults(tmp_path / "bundle", manifest)
    for told, fault in (
        ({"measured_ms": 4.0}, "measured_ms is 4.0"),
        ({"load_ms": 1.5, "compute_units": ("cpu",)}, "device that only checks it"),
        ({"peak_memory_mb": 70.0}, "device that only checks it"),
    ):
        files = tuple(file.model_copy(update=told) if file == entry else file for file in manifest.files)
        (found,) = manifest_faults(tmp_path / "bundle", manifest.model_copy(update={"files": files}))
        assert fault in found


@pytest.mark.targets
@needs_builder
@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_the_engine_is_built_here_and_by_the_program(make_bundle: Make, tmp_path: Path, precision: str) -> None:
    text, bundle = f"tensorrt:precision={precision}", tmp_path / "bundle"
    entry = make_bundle(formats=[text], get_device=get_device, certificates=()).file("tensorrt")
    assert "RTX GPUs of compute capability 8.0 and newer, built by 1.7.1.116 and not executed" in entry.note
    assert (bundle / "model.rtx.engine").stat().st_size > 1000
    done = subprocess.run(
        [TensorRtRtxInstallation().python, "-c", BUILD_ONLY, bundle / "build_engine.py"],
        env=worker_environment(tmp_path, own=False), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["executed"] is False
    assert report["bytes"] == (bundle / "model.engine").stat().st_size > 1000
