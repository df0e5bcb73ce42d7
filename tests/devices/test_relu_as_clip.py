"""Which Clip is a ReLU, and what remains where it is written as one."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from devices.relu_as_clip import relus_as_clip, write_relus

X = np.array([[-np.inf, -3.0, -0.0, 0.0, 0.5, 7.0, np.inf]], np.float32)


def net(
    limits: dict[str, Any], inputs: list[str], *, opset: int = 17, kind: int = TensorProto.FLOAT, **attributes: float
) -> onnx.ModelProto:
    """One Clip; a limit in a list is that of a Constant node."""
    constants = [(name, value[0]) for name, value in limits.items() if isinstance(value, list)]
    nodes = [helper.make_node("Constant", [], [name], value=numpy_helper.from_array(v)) for name, v in constants]
    weights = [numpy_helper.from_array(v, name) for name, v in limits.items() if not isinstance(v, list)]
    graph = helper.make_graph(
        [*nodes, helper.make_node("Clip", ["x", *inputs], ["y"], **attributes)],
        "net",
        [helper.make_tensor_value_info("x", kind, X.shape)],
        [helper.make_tensor_value_info("y", kind, X.shape)],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


ZERO, HALF, LARGE = np.float32(0), np.float16(0), np.finfo(np.float32).max
RELUS = {
    "no upper limit": net({"a": ZERO}, ["a"]),
    "an empty name": net({"a": ZERO}, ["a", ""]),
    "infinity": net({"a": ZERO, "b": np.float32(np.inf)}, ["a", "b"]),
    "the largest number": net({"a": ZERO, "b": LARGE}, ["a", "b"]),
    "nodes": net({"a": [ZERO], "b": [np.float32(np.inf)]}, ["a", "b"]),
    "minus zero": net({"a": np.float32(-0.0)}, ["a"]),
    "half": net({"a": HALF, "b": np.finfo(np.float16).max}, ["a", "b"], kind=TensorProto.FLOAT16),
    "attributes": net({}, [], opset=6, min=0.0),
    "both attributes": net({}, [], opset=10, min=0.0, max=float(LARGE)),
}
OTHERS = {
    "six": net({"a": ZERO, "b": np.float32(6)}, ["a", "b"]),
    "no lower limit": net({"b": LARGE}, ["", "b"]),
    "one": net({"a": np.float32(1)}, ["a"]),
    "integers": net({"a": np.int32(0)}, ["a"], kind=TensorProto.INT32),
    "large for another type": net({"a": np.float64(0), "b": np.float64(LARGE)}, ["a", "b"], kind=TensorProto.DOUBLE),
    "two numbers": net({"a": np.zeros(2, np.float32)}, ["a"]),
    "no number": net({"a": np.zeros(0, np.float32)}, ["a"]),
    "attribute six": net({}, [], opset=6, min=0.0, max=6.0),
    "no attribute": net({}, [], opset=6),
}


@pytest.mark.parametrize("name", list(RELUS))
def test_a_relu_is_written_as_one(name: str) -> None:
    model = onnx.ModelProto()
    model.CopyFrom(RELUS[name])
    assert len(relus_as_clip(model.graph)) == 1
    write_relus(model.graph)
    onnx.checker.check_model(model, full_check=True)
    assert [(node.op_type, list(node.input), len(node.attribute)) for node in model.graph.node] == [("Relu", ["x"], 0)]
    assert not model.graph.initializer
    if name != "half":
        first, second = (
            onnxruntime.InferenceSession(each.SerializeToString(), providers=["CPUExecutionProvider"])
            for each in (RELUS[name], model)
        )
        finite = {"x": np.nan_to_num(X)}
        np.testing.assert_array_equal(first.run(None, finite)[0], second.run(None, finite)[0])


@pytest.mark.parametrize("name", list(OTHERS))
def test_another_clip_stays(name: str) -> None:
    model = onnx.ModelProto()
    model.CopyFrom(OTHERS[name])
    assert relus_as_clip(model.graph) == []
    write_relus(model.graph)
    assert model == OTHERS[name]


def test_a_limit_that_others_read_stays() -> None:
    model = net({"a": ZERO, "b": [np.float32(np.inf)]}, ["a", "b"])
    model.graph.node.append(helper.make_node("Add", ["y", "a"], ["z"]))
    model.graph.output.append(helper.make_tensor_value_info("b", TensorProto.FLOAT, ()))
    write_relus(model.graph)
    assert [node.op_type for node in model.graph.node] == ["Constant", "Relu", "Add"]
    assert [tensor.name for tensor in model.graph.initializer] == ["a"]


@pytest.mark.parametrize("change", ["an input", "of another domain", "in another file", "computed"])
def test_a_limit_that_is_not_known_here(change: str) -> None:
    model = net({"a": ZERO}, ["a"])
    if change == "an input":
        model.graph.input.append(helper.make_tensor_value_info("a", TensorProto.FLOAT, ()))
    elif change == "of another domain":
        model.graph.node[0].domain = "com.microsoft"
    elif change == "in another file":
        model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    else:
        model.graph.initializer[0].name = "before"
        model.graph.node.insert(0, helper.make_node("Neg", ["before"], ["a"]))
    assert relus_as_clip(model.graph) == []
