"""Weights among a model's inputs, and ReLU written as Clip: noticed, told, and mended."""

from __future__ import annotations

import json
import re
import shlex
import signal
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import latseg
from devices.registry import get_device
from foundation.errors import UserError
from latency.operators import builders
from latency.operators.from_onnx import from_onnx
from latency.operators.operator import ARE_INPUTS, WEIGHTS, OperatorGraph
from latency.operators.synthesize import single_operator, to_model
from latseg import cli
from latseg.fixing import check_equal, fixed_model, lost_time
from tests.latseg.conftest import DEVICE
from tests.shared_cases import shared_case

SHAPE = (1, 8, 32, 32)
SIMULATED = "simulated:noise=0.01"


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
    return [(operator.kind, operator.weights_are_inputs) for operator in graph.operators]


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


@pytest.mark.parametrize(
    ("nodes", "listed", "expected"),
    [
        ([("Cast", ["w"], ["a"], {"to": TensorProto.FLOAT}), ("MatMul", ["x", "a"], ["y"], {})], ["w"], True),
        ([("MatMul", ["x", "w"], ["y"], {})], ["w"], True),
        ([("Gemm", ["x", "w", "b"], ["y"], {})], ["w"], True),
        ([("Gemm", ["x", "w", "b"], ["y"], {})], ["b"], False),
        ([("Add", ["x", "b"], ["y"], {})], ["b"], False),
    ],
)
def test_only_weights_that_cost_time_count(nodes: Any, listed: list[str], expected: bool) -> None:
    shapes = {"x": (4, 8), "w": (8, 8), "b": (8,)}
    graph = helper.make_graph(
        [helper.make_node(kind, inputs, outputs, **more) for kind, inputs, outputs, more in nodes],
        "net",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in ["x", *listed]],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (4, 8))],
        [numpy_helper.from_array(np.ones(shapes[name], np.float32), name) for name in "wb"],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (operator,) = from_onnx(model, listed_weights_are_inputs=True).operators
    assert operator.weights_are_inputs is expected
    made = to_model(from_onnx(model, listed_weights_are_inputs=True))
    assert from_onnx(made, listed_weights_are_inputs=True) == from_onnx(model, listed_weights_are_inputs=True)


def test_limits_of_an_activation_stay_constants() -> None:
    clipped = replace(
        builders.convolution(SHAPE, 16, kernel=(3, 3), activation="clip"),
        attributes=(
            *builders.convolution(SHAPE, 16, kernel=(3, 3), activation="clip").attributes,
            (WEIGHTS, ARE_INPUTS),
        ),
    )
    made = to_model(single_operator(clipped))
    assert [value.name for value in made.graph.input] == ["input", "t0_weight", "t0_bias"]


def test_which_devices_take_listed_weights_as_inputs() -> None:
    found = {name: get_device(name).listed_weights_are_inputs for name in ("cpu", "openvino", "mnn", "simulated")}
    assert found == {"cpu": True, "openvino": False, "mnn": False, "simulated": False}


def test_a_model_made_from_such_operators_lists_their_weights(tmp_path: Path) -> None:
    graph = from_onnx(write(tmp_path / "net.onnx"), listed_weights_are_inputs=True)
    made = to_model(graph)
    assert from_onnx(made, listed_weights_are_inputs=True) == graph
    assert len(made.graph.input) > 1
    assert not any(listed for _, listed in kinds(from_onnx(made)))
    onnx.save(made, tmp_path / "made.onnx")
    assert optimised(tmp_path / "made.onnx", tmp_path) == optimised(tmp_path / "net.onnx", tmp_path)


def fix(path: Path, folder: Path) -> Path:
    """The mended file."""
    content, changes = fixed_model(path)
    assert changes
    (folder / "fixed.onnx").write_bytes(content)
    return folder / "fixed.onnx"


def test_fixed_weights_are_constants_and_the_rest_is_the_same(tmp_path: Path) -> None:
    path = write(tmp_path / "net.onnx")
    assert fixed_model(path)[1] == ["weights that were inputs are constants now: 2"]
    before, after = onnx.load(path), onnx.load(fix(path, tmp_path))
    assert [value.name for value in after.graph.input] == ["x"]
    del before.graph.input[1:]
    assert after == before
    assert check_equal(get_device("cpu"), path, tmp_path / "fixed.onnx", {}, ()) < 1e-4


def test_before_ir_version_4_there_is_nothing_to_fix(tmp_path: Path) -> None:
    path = write(tmp_path / "net.onnx", listed=("w", "scale", "b", "m", "v"), ir_version=3)
    assert fixed_model(path) == (b"", [])


def clipped(path: Path, *, low: float = 0.0) -> Path:
    """The same net with a Clip, whose limit may be listed among the inputs, instead of the ReLU."""
    model = onnx.load(path)
    model.graph.initializer.append(numpy_helper.from_array(np.float32(low), "low"))
    model.graph.node[2].CopyFrom(helper.make_node("Clip", ["n", "low"], ["y"]))
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("listed", [(), ("w", "low")])
def test_a_relu_that_is_a_clip_is_fixed_too(listed: tuple[str, ...], tmp_path: Path) -> None:
    path = clipped(write(tmp_path / "net.onnx", listed=listed and ("w",)))
    if listed:
        model = onnx.load(path)
        model.graph.input.append(helper.make_tensor_value_info("low", TensorProto.FLOAT, ()))
        onnx.save(model, path)
    changes = fixed_model(path)[1]
    assert changes[-1] == "ReLU that was written as Clip is ReLU now: 1"
    assert len(changes) == 1 + bool(listed)
    fixed = fix(path, tmp_path)
    assert [node.op_type for node in onnx.load(fixed).graph.node] == ["Conv", "BatchNormalization", "Relu"]
    assert optimised(fixed, tmp_path) == ["Conv"], "fused"
    assert check_equal(get_device("cpu"), path, fixed, {}, ()) < 1e-4


def test_what_costs_time_depends_on_the_device(tmp_path: Path) -> None:
    path = clipped(write(tmp_path / "net.onnx"))
    both = ["weights listed among the inputs: 2", "ReLU written as Clip(0, infinity): 1"]
    assert lost_time(path, get_device("cpu")) == both
    assert lost_time(path, get_device("openvino")) == []
    assert lost_time(fix(path, tmp_path), get_device("cpu")) == []


def test_another_net_is_not_equal(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a.onnx"), write(tmp_path / "b.onnx", seed=1)
    with pytest.raises(UserError, match=r"of which \d+ % are other numbers.*use the original file"):
        check_equal(get_device("cpu"), first, second, {}, ())


class Answers:
    """A device that gives these outputs, one after the other."""

    def __init__(self, *outputs: list[float] | np.ndarray) -> None:
        self.left = [np.asarray(output) for output in outputs]

    def infer(self, *_: object) -> list[np.ndarray]:
        return [self.left.pop(0)]


@pytest.mark.parametrize(
    ("first", "second", "difference"),
    [
        ([np.nan, np.inf, 1.0], [np.nan, np.inf, 1.0001], 1e-4),
        (np.zeros(1000, np.int64), np.eye(1, 1000, dtype=np.int64)[0], 1),
        (np.zeros(1000, np.float32), np.eye(1, 1000, dtype=np.float32)[0] / 10, 0.1),
    ],
    ids=["not finite", "a class", "a quantised step"],
)
def test_what_rounding_does_is_equal(first: Any, second: Any, difference: float, tmp_path: Path) -> None:
    model: Any = Answers(first, second)
    path = write(tmp_path / "net.onnx")
    assert check_equal(model, path, path, {}, ()) == pytest.approx(difference, rel=1e-2)


@pytest.mark.parametrize(
    ("first", "second"),
    [([1.0, 2.0], [1.0, 2.1]), (np.zeros(1000), [np.nan, *[0.0] * 999]), ([1, 2], [1, 3]), ([1.0], [1.0, 1.0])],
)
def test_what_rounding_does_not_do_is_not(first: Any, second: Any, tmp_path: Path) -> None:
    model: Any = Answers(first, second)
    path = write(tmp_path / "net.onnx")
    with pytest.raises(UserError, match="other numbers"):
        check_equal(model, path, path, {}, ())


def test_weights_in_another_file_come_into_the_fixed_one(tmp_path: Path) -> None:
    model = onnx.load(write(tmp_path / "net.onnx"))
    onnx.save(model, tmp_path / "outside.onnx", save_as_external_data=True, location="weights", size_threshold=0)
    (tmp_path / "alone").mkdir()
    fixed = fix(tmp_path / "outside.onnx", tmp_path / "alone")
    assert check_equal(get_device("cpu"), tmp_path / "net.onnx", fixed, {}, ()) < 1e-4


def test_more_than_2_gib_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> bytes:
        raise RuntimeError("Failed to serialize proto")

    path = write(tmp_path / "net.onnx")
    read = SimpleNamespace(graph=onnx.load(path).graph, ir_version=8, SerializeToString=refused)
    monkeypatch.setattr("latseg.fixing.read_model", lambda _: read)
    monkeypatch.setattr("latseg.fixing.embed_external_data", lambda *_, **__: None)
    with pytest.raises(UserError, match="more than 2 GiB"):
        fixed_model(path)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "net.onnx")
    words = ("--workspace", str(tmp_path / "ws"), "--json", "fix", str(path))
    assert cli.run([*words]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["output"] == str(tmp_path / "net-fixed.onnx") == document["measured"]["b"]["model"]
    assert document["parity_max_abs"] < 1e-4
    assert not document["measured"]["simulated"]
    assert cli.run([*words]) == 2
    assert "net-fixed.onnx: got there already; expected a new file; choose --output" in capsys.readouterr().err
    (tmp_path / "other.onnx").symlink_to(tmp_path / "nowhere")
    assert cli.run([*words, "--output", str(tmp_path / "other.onnx")]) == 2
    capsys.readouterr()
    assert cli.run([*words[:-1], document["output"], "--output", str(path)]) == 0
    nothing = json.loads(capsys.readouterr().out)
    assert nothing == {
        "model": document["output"],
        "output": None,
        "changes": [],
        "parity_max_abs": None,
        "measured": None,
        "warnings": [],
    }


def test_an_interruption_leaves_nothing_and_the_same_command_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "net.onnx")
    device = latseg.Workspace(tmp_path / "ws").device(SIMULATED)
    with monkeypatch.context() as patch:
        patch.setattr(type(device), "compare", lambda *_, **__: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            device.fix(path)
    assert [each.name for each in tmp_path.glob("*.onnx")] == ["net.onnx"]
    fixed = device.fix(path)
    assert fixed.measured is not None
    assert fixed.measured.device.simulated
    assert fixed.output == tmp_path / "net-fixed.onnx"


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = latseg.Workspace(tmp_path / "ws").device(SIMULATED)
    monkeypatch.setattr(type(device), "compare", lambda *_, **__: pytest.fail("measured"))
    with pytest.raises(UserError, match="no folder, or one that cannot be written"):
        device.fix(write(tmp_path / "net.onnx"), tmp_path / "missing" / "net.onnx")


def test_a_measurement_tells_of_them(cpu_workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devices.other_load.other_load", lambda: 0.0)
    told: list[str] = []
    device = latseg.Workspace(cpu_workspace, on_warning=told.append).device("cpu")
    measured = device.measure(write(tmp_path / "net.onnx"))
    assert len(told) == 1
    assert f"`latseg fix {tmp_path / 'net.onnx'}`" in told[0]
    assert "weights are inputs" in " ".join(measured.operators.column("attributes"))
    device.measure(write(tmp_path / "constant.onnx", listed=()))
    assert len(told) == 1


def test_the_command_that_is_told_has_the_shapes_that_the_model_needs(
    cpu_workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("devices.other_load.other_load", lambda: 0.0)
    path = write(tmp_path / "net.onnx")
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "n"
    onnx.save(model, path)
    told: list[str] = []
    device = latseg.Workspace(cpu_workspace, on_warning=told.append).device("cpu")
    device.measure(path, shapes={"x": SHAPE})
    (command,) = re.findall("`latseg (fix .*?)`", told[0])
    assert command == f"fix {path} --shape x=1x8x32x32"
    assert cli.run(["--workspace", str(cpu_workspace), *shlex.split(command)]) == 0
    assert (tmp_path / "net-fixed.onnx").exists(), capsys.readouterr().err


def test_a_prediction_tells_of_them_and_of_the_gain(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    device = latseg.Workspace(workspace, on_warning=told.append).device(DEVICE)
    monkeypatch.setattr(type(device.device), "listed_weights_are_inputs", True)
    constant = device.predict(write(tmp_path / "constant.onnx", listed=()))
    assert not told
    listed = device.predict(write(tmp_path / "net.onnx"))
    assert len(told) == 1
    assert f"for which {constant.latency_ms:.3f} ms are predicted" in told[0]
    assert listed.upper_ms > constant.upper_ms
    assert "never measured" in listed.operators.column("known")


def test_the_case_that_was_found() -> None:
    listed, plain = (shared_case(f"41-weights-among-inputs/{name}.onnx") for name in ("listed", "plain"))
    assert from_onnx(listed) == from_onnx(plain)
    operators = from_onnx(listed, listed_weights_are_inputs=True).operators
    assert all(operator.weights_are_inputs for operator in operators)
