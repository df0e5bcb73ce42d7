"""Weights among a model's inputs: noticed, told, and mended."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import latseg
from devices.registry import get_device
from foundation.errors import UserError
from latency.operators.from_onnx import from_onnx
from latency.operators.operator import ARE_INPUTS, WEIGHTS, OperatorGraph
from latency.operators.synthesize import to_model
from latseg import cli
from latseg.fixing import check_equal, fix_model
from tests.shared_cases import shared_case

SHAPE = (1, 8, 32, 32)


def write(path: Path, *, listed: tuple[str, ...] = ("w", "scale"), ir_version: int = 8, seed: int = 0) -> Path:
    """Convolution, batch normalisation, ReLU."""
    rng = np.random.default_rng(seed)
    channels = {name: rng.uniform(0.5, 1, 16) for name in ("scale", "b", "m", "v")}
    weights = {"w": rng.normal(size=(16, 8, 3, 3)), **channels}
    shapes = {"x": SHAPE, **{name: weights[name].shape for name in listed}}
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
            helper.make_node("BatchNormalization", ["c", "scale", "b", "m", "v"], ["n"]),
            helper.make_node("Relu", ["n"], ["y"]),
        ],
        "net",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 16, 32, 32))],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=ir_version), path)
    return path


def kinds(graph: OperatorGraph) -> list[tuple[str, bool]]:
    return [(operator.kind, operator.attribute(WEIGHTS, "") == ARE_INPUTS) for operator in graph.operators]


def optimised(path: Path, folder: Path) -> list[str]:
    """Kernels of ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.optimized_model_filepath = 3, str(folder / "optimised.onnx")
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return [node.op_type for node in onnx.load(folder / "optimised.onnx").graph.node if "Reorder" not in node.op_type]


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ((), [("Conv", False)]),
        (("w",), [("Conv", True), ("BatchNormalization", False), ("Relu", False)]),
        (("scale",), [("Conv", False), ("BatchNormalization", True), ("Relu", False)]),
    ],
)
def test_operators_are_those_that_the_runtime_runs(
    listed: tuple[str, ...], expected: list[tuple[str, bool]], tmp_path: Path
) -> None:
    path = write(tmp_path / "net.onnx", listed=listed)
    assert kinds(from_onnx(path, listed_weights_are_inputs=True)) == expected
    assert kinds(from_onnx(path)) == [("Conv", False)], "for runtimes that take them as constants"
    assert len(optimised(path, tmp_path)) == len(expected)


def test_before_ir_version_4_every_weight_is_listed_and_constant(tmp_path: Path) -> None:
    path = write(tmp_path / "net.onnx", listed=("w", "scale", "b", "m", "v"), ir_version=3)
    assert kinds(from_onnx(path, listed_weights_are_inputs=True)) == [("Conv", False)]


def test_which_devices_take_listed_weights_as_inputs() -> None:
    found = {name: get_device(name).listed_weights_are_inputs for name in ("cpu", "openvino", "simulated")}
    assert found == {"cpu": True, "openvino": False, "simulated": False}


def test_a_model_made_from_such_operators_lists_their_weights(tmp_path: Path) -> None:
    graph = from_onnx(write(tmp_path / "net.onnx"), listed_weights_are_inputs=True)
    made = to_model(graph)
    assert from_onnx(made, listed_weights_are_inputs=True) == graph
    assert len(made.graph.input) > 1
    assert not any(listed for _, listed in kinds(from_onnx(made)))
    onnx.save(made, tmp_path / "made.onnx")
    assert optimised(tmp_path / "made.onnx", tmp_path) == optimised(tmp_path / "net.onnx", tmp_path)


def test_fixed_weights_are_constants_and_the_rest_is_the_same(tmp_path: Path) -> None:
    path = write(tmp_path / "net.onnx")
    assert fix_model(path, tmp_path / "fixed.onnx") == ["2 weights among the inputs are constants now"]
    before, after = onnx.load(path), onnx.load(tmp_path / "fixed.onnx")
    assert [value.name for value in after.graph.input] == ["x"]
    del before.graph.input[1:]
    assert after == before
    assert check_equal(get_device("cpu"), path, tmp_path / "fixed.onnx", {}, ()) < 1e-4


def test_another_net_is_not_equal(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a.onnx"), write(tmp_path / "b.onnx", seed=1)
    with pytest.raises(UserError, match=r"outputs that differ by .*use the original file"):
        check_equal(get_device("cpu"), first, second, {}, ())


def test_weights_in_another_file_come_into_the_fixed_one(tmp_path: Path) -> None:
    model = onnx.load(write(tmp_path / "net.onnx"))
    onnx.save(model, tmp_path / "outside.onnx", save_as_external_data=True, location="weights", size_threshold=0)
    fix_model(tmp_path / "outside.onnx", tmp_path / "alone" / "fixed.onnx")
    assert check_equal(get_device("cpu"), tmp_path / "net.onnx", tmp_path / "alone" / "fixed.onnx", {}, ()) < 1e-4


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "net.onnx")
    words = ("--workspace", str(tmp_path / "ws"), "--json", "fix", str(path))
    assert cli.run([*words]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["output"] == str(tmp_path / "net-fixed.onnx")
    assert document["parity_max_abs"] < 1e-4
    measured = document["measured"]
    assert measured["a"]["latency_ms"] > measured["b"]["latency_ms"]
    assert not measured["simulated"]
    assert cli.run([*words]) == 2
    assert "net-fixed.onnx: got a file; expected none; choose another --output" in capsys.readouterr().err
    assert cli.run([*words[:-1], document["output"]]) == 0
    nothing = json.loads(capsys.readouterr().out)
    assert (nothing["output"], nothing["changes"], nothing["measured"]) == (None, [], None)


def test_a_measurement_tells_of_them(tmp_path: Path) -> None:
    told: list[str] = []
    device = latseg.Workspace(tmp_path / "ws", on_warning=told.append).device("cpu")
    measured = device.measure(write(tmp_path / "net.onnx"))
    assert len(told) == 1
    assert "latseg" in told[0]
    assert f"fix {tmp_path / 'net.onnx'}" in told[0]
    assert "weights are inputs" in " ".join(measured.operators.column("attributes"))
    device.measure(write(tmp_path / "constant.onnx", listed=()))
    assert len(told) == 1


def test_the_case_that_was_found() -> None:
    listed, plain = (shared_case(f"41-weights-among-inputs/{name}.onnx") for name in ("listed", "plain"))
    assert from_onnx(listed) == from_onnx(plain)
    operators = from_onnx(listed, listed_weights_are_inputs=True).operators
    assert all(operator.attribute(WEIGHTS, "") == ARE_INPUTS for operator in operators)
