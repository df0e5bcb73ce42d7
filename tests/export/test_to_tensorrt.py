"""The format ``tensorrt``: what is written, and what the builder makes of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from devices.backends.tensorrt_rtx.installation import TensorRtRtxInstallation
from devices.registry import get_device
from devices.worker.transport import worker_environment
from export.bundle.manifest import BundleFile, Manifest
from export.bundle.manifest_checks import manifest_faults
from export.bundle.verify import verify_bundle
from export.bundle.write_model import ParityError
from export.registry import get_exporters
from export.to_bfloat16 import bfloat16_of
from export.to_reduced_onnx import in_half_precision
from tests.export.conftest import segmentation_source
from tests.export.small_network import small_network

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


def test_bfloat16_is_decided_in_the_file_and_not_executed(make_bundle: Make, tmp_path: Path) -> None:
    entry = make_bundle(formats=["tensorrt:precision=bfloat16"], certificates=()).file("tensorrt")
    assert (entry.precision, entry.executed, entry.parity_max_abs) == ("bfloat16", False, None)
    assert "not executed: a compiler without an emulator" in entry.note
    model = onnx.load(tmp_path / "bundle" / entry.path)
    onnx.checker.check_model(model, full_check=True)
    kinds = {tensor.data_type for tensor in model.graph.initializer}
    assert onnx.TensorProto.BFLOAT16 in kinds
    assert onnx.TensorProto.FLOAT16 not in kinds
    casts = {attribute.i for node in model.graph.node if node.op_type == "Cast" for attribute in node.attribute}
    assert casts == {onnx.TensorProto.FLOAT, onnx.TensorProto.BFLOAT16}
    found = verify_bundle(tmp_path / "bundle", measure=False).checks
    assert {check.name for check in found if not check.ok} == {"certificate"}, "there is none"


def test_weights_in_bfloat16_keep_the_range_of_float32() -> None:
    numbers = np.array([3e5, 1e-9, 1.0], np.float32)  # the first two are no numbers of float16
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Add", ["image", "weight"], ["sum"])],
        "graph",
        [onnx.helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, [3])],
        [onnx.helper.make_tensor_value_info("sum", onnx.TensorProto.FLOAT, [3])],
        [onnx.numpy_helper.from_array(numbers, "weight")],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 22)])
    exact = onnx.ModelProto()
    exact.CopyFrom(model)
    (weight,) = bfloat16_of(in_half_precision(model), exact).graph.initializer
    found = onnx.numpy_helper.to_array(weight).astype(np.float32)
    np.testing.assert_allclose(found, numbers, rtol=2**-8)


def written(folder: Path, precision: str) -> BundleFile:
    """The files of the format alone: drawn weights hardly tell classes apart, so that eight bits give other masks."""
    source = segmentation_source(small_network())
    exporters = get_exporters([f"tensorrt:precision={precision}"])
    return [exporter.write(source, folder) for exporter in exporters][-1]


def test_other_masks_are_refused(make_bundle: Make) -> None:
    with pytest.raises(ParityError, match="the network needs more precision than int8"):
        make_bundle(formats=["tensorrt:precision=int8"], certificates=())


def test_eight_bits_are_symmetric_and_biases_are_not_quantised(tmp_path: Path) -> None:
    entry = written(tmp_path, "int8")
    assert (entry.precision, entry.device) == ("int8", "cpu")
    graph = onnx.load(tmp_path / entry.path).graph
    arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    steps = [node for node in graph.node if node.op_type in {"QuantizeLinear", "DequantizeLinear"}]
    zeros = [arrays[node.input[2]] for node in steps]
    assert zeros
    assert {zero.dtype for zero in zeros} == {np.dtype(np.int8)}  # those of biases are int32
    assert not any(zero.any() for zero in zeros)


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
@pytest.mark.parametrize("precision", ["float32", "float16", "bfloat16", "int8"])
def test_the_engine_is_built_here_and_by_the_program(tmp_path: Path, precision: str) -> None:
    entry = written(tmp_path, precision)
    assert "RTX GPUs of compute capability 8.0 and newer, built by 1.7.1.116 and not executed" in entry.note
    assert (tmp_path / "model.rtx.engine").stat().st_size > 1000
    done = subprocess.run(
        [TensorRtRtxInstallation().python, "-c", BUILD_ONLY, tmp_path / "build_engine.py"],
        env=worker_environment(tmp_path, own=False), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["executed"] is False
    assert report["bytes"] == (tmp_path / "model.engine").stat().st_size > 1000
