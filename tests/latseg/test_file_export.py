"""``latseg export MODEL.onnx``: any file in other formats, with and without a budget."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import latseg
from devices.device import Candidate, Device
from devices.measurement import NoiseFloor
from export.bundle.verify import verify_bundle
from foundation.errors import UserError
from latency import measuring
from latency.measuring import Measured
from latseg.options import split_names
from latseg.testing.nets import saved, small_net
from tests.export.runtime_device import RuntimeDevice, measurement
from tests.latseg.command_line import say

NEED_TORCH = "got a network with the inputs .*; expected a segmentation network"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return saved(small_net(), tmp_path / "small.onnx")


def write_scaled(path: Path, *, batch: int | str = "n", factor: float = 1000.0) -> Path:
    """A product of matrices times a factor; the batch may be open."""
    weight = np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("Mul", ["m", "f"], ["y"])],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (batch, 64))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (batch, 8))],
        [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(np.float32([factor]), "f")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_a_file_is_exported_and_verified(capsys: pytest.CaptureFixture[str], small: Path, tmp_path: Path) -> None:
    words = ["export", str(small), "--format", "openvino,mnn", "--out", str(tmp_path / "out")]
    code, out, err = say(capsys, *words)
    assert code == 0, err
    assert "No latency was promised or measured." in out
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    models = {file["format"]: file for file in manifest["files"] if file["executed"]}
    assert models.keys() == {"onnx", "openvino", "mnn"}
    assert all(file["parity_max_abs"] < 1e-4 for file in models.values())
    assert (manifest["architecture"], manifest["certificates"]) == ({}, [])
    assert (tmp_path / "out" / "model.onnx").read_bytes() == small.read_bytes()
    readme = (tmp_path / "out" / "README.md").read_text()
    assert "no latency was promised or measured" in readme
    assert "parity with ONNX Runtime" in readme
    code, out, err = say(capsys, "--json", "--quiet", "verify", str(tmp_path / "out"))
    assert code == 0, out
    details = {check["name"]: check["detail"] for check in json.loads(out)["checks"]}
    assert details["certificate"].startswith("none: no latency was promised")
    (tmp_path / "out" / "model.mnn").write_bytes(b"something else")
    assert say(capsys, "--quiet", "verify", str(tmp_path / "out"))[0] == 4


def test_open_shapes_are_fixed_and_external_weights_come_along(tmp_path: Path) -> None:
    path = write_scaled(tmp_path / "open.onnx")
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    workspace = latseg.Workspace(tmp_path / "workspace")
    with pytest.raises(UserError, match="shape of input 'x'"):
        workspace.export(path)
    bundle = workspace.export(path, shapes={"x": (4, 64)})
    assert bundle.path == tmp_path / "open-bundle"
    assert [(one.name, one.shape) for one in bundle.manifest.inputs] == [("x", (4, 64))]
    assert bundle.manifest.parameters == 64 * 8 + 1
    assert bundle.manifest.reproduce == "latseg export open.onnx --shape x=4x64"
    path.unlink()
    (tmp_path / "weights.bin").unlink()
    result = bundle.verify()
    assert result.ok, result.checks


def test_outputs_may_be_large(tmp_path: Path) -> None:
    """A thousandth of an output of a million is not rounding of single precision."""

    class Rounds(RuntimeDevice):
        share = 0.0

        def infer(self, path: Path, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
            return [np.float32(1 + self.share) * one for one in super().infer(path, inputs)]

    path = write_scaled(tmp_path / "large.onnx", batch=1, factor=1e6)
    bundle = latseg.Workspace(tmp_path / "workspace").export(path)
    for share, near in ((2e-6, True), (2e-2, False)):
        device = Rounds()
        device.share = share
        checks = verify_bundle(bundle.path, get_device=lambda name, threads=1, device=device: device).checks
        assert [check.ok for check in checks if check.name.startswith("parity")] == [near], checks


def test_a_budget_is_certified(tmp_path: Path, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure_one(device: Device, candidate: Candidate, store: object, *, seed: int) -> Measured:
        assert (device.name, candidate.path.read_bytes()) == ("cpu", small.read_bytes())
        taken = measurement(candidate.path, latency_ms=4.0, input_shapes=((1, 3, 32, 32),))
        return Measured(taken, NoiseFloor(1.0, 20.0, 10))

    monkeypatch.setattr(measuring, "measure_one", measure_one)
    workspace = latseg.Workspace(tmp_path / "workspace")
    kept = workspace.export(small, budgets={"cpu": "5ms"})
    assert kept.manifest.certificates[0].budget_ms == 5
    assert kept.verify(measure=False).ok
    missed = workspace.export(small, tmp_path / "missed", budgets={"cpu": "3ms"})
    assert missed.refusals[0].startswith("cpu: ")
    assert missed.manifest.reproduce == "latseg export small.onnx --device cpu --max-latency 3ms"


@pytest.mark.parametrize("kind", ["STRING", "BFLOAT16"])
def test_types_that_torch_does_not_have(tmp_path: Path, kind: str) -> None:
    x, y = (helper.make_tensor_value_info(name, getattr(TensorProto, kind), (2,)) for name in "xy")
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "net", [x], [y])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "m.onnx")
    with pytest.raises(UserError, match="input 'x' of the model: got the type "):
        latseg.Workspace(tmp_path).export(tmp_path / "m.onnx")


@pytest.mark.parametrize("name", ["onnx-dynamic", "onnx-uint8"])
def test_formats_that_need_a_network_of_torch(small: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=NEED_TORCH):
        latseg.Workspace(tmp_path).export(small, tmp_path / "out", formats=[name])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["{model}", "--winner", "1"], "--winner: got --winner with an ONNX file"),
        (["run-1", "--out", "x"], "--output: got --output with a run"),
        (["run-1", "--shape", "x=1"], "--shape: got --shape with a run"),
        (["missing.onnx"], "missing.onnx, which does not exist"),
        (["{model}", "-f", "tflite9"], "export format"),
    ],
)
def test_what_does_not_belong_together(
    capsys: pytest.CaptureFixture[str], small: Path, tmp_path: Path, words: list[str], complaint: str
) -> None:
    code, _, err = say(capsys, "--workspace", str(tmp_path), "export", *(word.format(model=small) for word in words))
    assert (code, complaint in err, err.count("\n")) == (2, True, 1), err


def test_formats_are_separated_by_commas() -> None:
    assert split_names(["ncnn,openvino", "onnx"]) == ["ncnn", "openvino", "onnx"]
    assert split_names(["gzip:level=5,best=true,mnn"]) == ["gzip:level=5,best=true", "mnn"]
    assert split_names(["qnn, openvino:threads=2,"]) == ["qnn", "openvino:threads=2"]
