"""Operators of any element type are written as models of their own that run, or are refused with the true reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from devices.device import Candidate
from devices.model_inputs import random_inputs
from devices.prepared import prepare
from devices.registry import get_device
from foundation.errors import UserError
from latency.campaign_items import CampaignItem
from latency.campaign_models import written_models
from latency.operators import builders
from latency.operators.from_onnx import from_onnx
from latency.operators.operator import Operator
from latency.operators.synthesize import single_operator, to_model
from tests.latency.operators.test_from_onnx import kinds, model

IMAGE = "float[1,3,8,8] x"


def axes_of(opset: int, kind: str) -> onnx.ModelProto:
    """A reduction over height and width whose axes are an attribute or an input."""
    as_input = opset >= (13 if kind == "ReduceSum" else 18)
    body = f"y = {kind}(x, axes)" if as_input else f"y = {kind}<axes=[2,3]>(x)"
    return model(body, opset=opset, weights={"axes": np.array([2, 3])} if as_input else {})


def alone(operator: Operator, folder: Path) -> list[np.ndarray]:
    """What ONNX Runtime computes for a model of this operator, which is read as the same operator."""
    made = to_model(single_operator(operator))
    onnx.save(made, folder / "alone.onnx")
    assert from_onnx(folder / "alone.onnx").operators == (operator,)
    inputs = random_inputs(prepare(Candidate("alone", folder / "alone.onnx")).inputs)
    return list(get_device("cpu").infer(folder / "alone.onnx", inputs))


OTHER_TYPES = {
    "words": model("y = Gather(table, x)", inputs="int64[1,4] x", output="float[1,4,8] y", weights={"table": (10, 8)}),
    "places": model("y = GatherElements<axis=2>(x, i)", inputs=f"{IMAGE}, int64[1,3,2,8] i"),
    "a choice": model("y = Where(c, x, z)", inputs=f"bool[1,1,8,8] c, {IMAGE}, float[1] z"),
    "a choice of whole numbers": model(
        "y = Where(c, minus, x)",
        inputs="bool[1,4] c, int64[1,4] x",
        output="int64[1,4] y",
        weights={"minus": np.array(-1)},
    ),
    "truth": model("y = And(a, b)", inputs="bool[1,8] a, bool[8] b", output="bool[1,8] y"),
    "whole numbers": model(
        "y = Add(x, two)", inputs="int64[1,8] x", output="int64[1,8] y", weights={"two": np.array(2)}
    ),
    "bytes from numbers": model(
        "y = QuantizeLinear(x, s, zero)",
        output="uint8[?,?,?,?] y",
        weights={"s": np.float32(0.1), "zero": np.uint8(200)},
    ),
    "numbers from bytes": model(
        "y = DequantizeLinear(x, s, zero)",
        inputs="int8[1,3,8,8] x",
        weights={"s": np.float32(0.1), "zero": np.int8(-5)},
    ),
    "lengths": model(
        "y, last = LSTM<hidden_size=4>(x, w, r, , lengths)",
        inputs="float[5,2,3] x",
        output="float[5,1,2,4] y, float[1,2,4] last",
        weights={"w": (1, 16, 3), "r": (1, 16, 4), "lengths": np.array([5, 3], np.int32)},
    ),
    "a first state": model(
        "y, last = GRU<hidden_size=4>(x, w, r, , , h)",
        inputs="float[5,2,3] x, float[1,2,4] h",
        output="float[5,1,2,4] y, float[1,2,4] last",
        weights={"w": (1, 12, 3), "r": (1, 12, 4)},
    ),
    "the last state": model(
        "none, y = GRU<hidden_size=4>(x, w, r)",
        inputs="float[5,2,3] x",
        output="float[1,2,4] y",
        weights={"w": (1, 12, 3), "r": (1, 12, 4)},
    ),
}


@pytest.mark.parametrize("name", OTHER_TYPES)
def test_operators_that_read_other_types_run_alone(name: str, tmp_path: Path) -> None:
    made = OTHER_TYPES[name]
    if name == "the last state":
        made.graph.node[0].output[0] = ""
    (operator,) = from_onnx(made).operators
    assert [output.shape for output in alone(operator, tmp_path)] == list(operator.output_shapes)


@pytest.mark.parametrize("opset", [9, 11, 13, 17, 18])
@pytest.mark.parametrize("kind", ["ReduceSum", "ReduceMax", "ReduceL2"])
def test_reductions_of_every_opset_run_alone(kind: str, opset: int, tmp_path: Path) -> None:
    (operator,) = from_onnx(axes_of(opset, kind)).operators
    assert (operator.kind, operator.attributes) == (kind, (("axes", (2, 3)),))
    assert alone(operator, tmp_path)[0].shape == (1, 3, 1, 1)


def test_a_reduction_of_nothing_costs_nothing() -> None:
    body = "s = ReduceSum<noop_with_empty_axes=1>(x) y = Relu(s)"
    assert kinds(from_onnx(model(body))) == [("Relu", "")]
    body = "s = ReduceSum<noop_with_empty_axes=1>(x, axes) y = Relu(s)"
    (reduction, _) = from_onnx(model(body, weights={"axes": np.array([3])})).operators
    assert reduction.attributes == (("axes", (3,)),)


@pytest.mark.parametrize("shape", ["c = Shape(x) s = Gather(c, zero)", "s = Identity(four)"])
def test_a_view_of_a_weight_is_a_constant_whatever_decides_its_shape(shape: str) -> None:
    weights = {"zero": np.array([0]), "four": np.array([1]), "rest": np.array([-1]), "table": (192,)}
    body = f"{shape} all = Concat<axis=0>(s, rest) v = Reshape(table, all) r = Reshape(x, all) y = Mul(r, v)"
    graph = from_onnx(model(body, weights=weights, output="float[?,?] y"))
    assert kinds(graph) == [("Mul", "")]
    assert graph.operators[0].parameters == 192


@pytest.mark.parametrize("size", [192, 200 * 1000])
def test_a_view_of_a_weight_by_a_given_size_is_a_constant(size: int) -> None:
    body = "all = Concat<axis=0>(n, rest) v = Reshape(table, all) y = Add(x, v)"
    weights = {"rest": np.array([-1]), "table": (size,)}
    inputs = f"float[1,{size}] x, int64[1] n"
    made = model(body, inputs=inputs, output="float[?,?] y", weights=weights)
    graph = from_onnx(made, None, {"n": np.array([1])})
    assert kinds(graph) == [("Add", "")]
    assert graph.operators[0].parameters == size


def test_large_weights_are_prepared_once_however_large() -> None:
    body = "t = Transpose<perm=[1,0]>(w) h = Cast<to=1>(t) m = Reshape(h, sides) y = MatMul(x, m)"
    made = model(body, inputs="float[1,5000] x", output="float[1,4000] y", weights={"sides": np.array([5000, 4000])})
    made.graph.initializer.add(
        name="w", data_type=onnx.TensorProto.FLOAT16, dims=[4000, 5000], raw_data=bytes(2 * 4000 * 5000)
    )
    graph = from_onnx(made)
    assert kinds(graph) == [("MatMul", "")]
    assert graph.parameters == 4000 * 5000


def refused(operator: Operator, folder: Path) -> str:
    """Why a campaign cannot measure it."""
    told: list[UserError] = []
    item = CampaignItem("it", single_operator(operator), "operator")
    with written_models([item], folder, lambda _, error: told.append(error)) as candidates:
        assert candidates == []
    return str(told[0])


def test_what_cannot_be_measured_alone_says_why(tmp_path: Path) -> None:
    body = "r = Range(zero, n, one) f = Cast<to=1>(r) y = Add(x, f)"
    weights = {"zero": np.array(0), "one": np.array(1)}
    made = model(body, inputs="float[1,5] x, int64 n", output="float[?,?] y", weights=weights)
    first = from_onnx(made, None, {"n": np.array(5)}).operators[0]
    assert first.kind == "Range"
    assert "operator Range: got no input that changes from run to run" in refused(first, tmp_path)
    cut = from_onnx(model("y = Slice(x, a, b)", weights={"a": np.array([1]), "b": np.array([2])})).operators[0]
    computed = replace(cut, attributes=(("constant_2", (2,)),), input_shapes=(*cut.input_shapes, (1,)))
    assert "operator Slice: got sizes that are computed in each run" in refused(computed, tmp_path)
    noise = builders.operator("RandomNormal", (("shape", (1, 3)),), (), ((1, 3),))
    assert "operator RandomNormal: got no input" in refused(noise, tmp_path)
