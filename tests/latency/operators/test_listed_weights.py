"""Which operators count their weights as inputs where the model lists them so, and what ONNX Runtime makes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import helper

from latency.operators.from_onnx import from_onnx
from latency.operators.synthesize import to_model
from latseg.fixing import fixed_model
from tests.latency.operators.test_from_onnx import model

SCALES = {"s": np.float32(0.1), "zero": np.uint8(0), "zero_w": np.int8(0)}
BYTES = np.arange(-54, 54).astype(np.int8)
PRODUCT = np.arange(-32, 32).reshape(8, 8).astype(np.int8)
QUANTISED = "(x, s, zero, w, s, zero_w, s, zero)"
RECURRENT = {"inputs": "float[5,1,3] x", "output": "float[5,1,1,4] y"}
NETS: dict[str, onnx.ModelProto] = {
    "LSTM": model(
        "y = LSTM<hidden_size=4>(x, w, r, b)", weights={"w": (1, 16, 3), "r": (1, 16, 4), "b": (1, 32)}, **RECURRENT
    ),
    "GRU": model(
        "y = GRU<hidden_size=4>(x, w, r, b)", weights={"w": (1, 12, 3), "r": (1, 12, 4), "b": (1, 24)}, **RECURRENT
    ),
    "RNN": model(
        "y = RNN<hidden_size=4>(x, w, r, b)", weights={"w": (1, 4, 3), "r": (1, 4, 4), "b": (1, 8)}, **RECURRENT
    ),
    "LSTM of two directions": model(
        'y = LSTM<hidden_size=4, direction="bidirectional">(x, w, r, b)',
        weights={"w": (2, 16, 3), "r": (2, 16, 4), "b": (2, 32)},
        inputs="float[5,7,3] x",
        output="float[5,2,7,4] y",
    ),
    "ConvTranspose": model("y = ConvTranspose(x, w, b)", weights={"w": (3, 4, 2, 2), "b": (4,)}),
    "QLinearConv": model(
        f"y = QLinearConv{QUANTISED}",
        inputs="uint8[1,3,8,8] x",
        output="uint8[1,4,6,6] y",
        weights={**SCALES, "w": BYTES.reshape(4, 3, 3, 3)},
    ),
    "QLinearConv of groups": model(
        f"y = QLinearConv<group=3>{QUANTISED}",
        inputs="uint8[2,3,8,8] x",
        output="uint8[2,12,6,6] y",
        weights={**SCALES, "w": BYTES.reshape(12, 1, 3, 3)},
    ),
    "QLinearMatMul": model(
        f"y = QLinearMatMul{QUANTISED}",
        inputs="uint8[4,8] x",
        output="uint8[4,8] y",
        weights={**SCALES, "w": PRODUCT},
    ),
    "MatMulInteger": model(
        "y = MatMulInteger(x, w)", inputs="uint8[4,8] x", output="int32[4,8] y", weights={"w": PRODUCT}
    ),
    "ConvInteger": model(
        "y = ConvInteger(x, w)",
        inputs="uint8[1,3,8,8] x",
        output="int32[1,4,6,6] y",
        weights={"w": BYTES.reshape(4, 3, 3, 3)},
    ),
    "Conv after DequantizeLinear": model(
        "d = DequantizeLinear(w, s, zero_w) y = Conv(x, d)", weights={**SCALES, "w": BYTES.reshape(4, 3, 3, 3)}
    ),
}
"""One operator each, with its weights as constants."""
FLOPS = {
    "LSTM": 2 * 5 * (16 * 3 + 16 * 4),
    "LSTM of two directions": 2 * 5 * 7 * 2 * (16 * 3 + 16 * 4),
    "GRU": 2 * 5 * (12 * 3 + 12 * 4),
    "RNN": 2 * 5 * (4 * 3 + 4 * 4),
    "ConvTranspose": 2 * 64 * 3 * 4 * 4,
    "QLinearConv": 2 * 36 * 4 * 27,
    "ConvInteger": 2 * 36 * 4 * 27,
    "QLinearConv of groups": 2 * 2 * 36 * 12 * 9,
    "QLinearMatMul": 2 * 4 * 8 * 8,
    "MatMulInteger": 2 * 4 * 8 * 8,
    "Conv after DequantizeLinear": 2 * 36 * 4 * 27,
}
"""Two for each multiplication and addition."""
COST_TIME = {
    "LSTM of two directions": "w r",
    "QLinearConv of groups": "w",
    "LSTM": "w r",
    "GRU": "w r",
    "ConvTranspose": "w",
    "QLinearConv": "w",
    "QLinearMatMul": "w",
    "MatMulInteger": "w",
    "Conv after DequantizeLinear": "w s zero_w",
}
"""Weights of which ONNX Runtime makes something when it loads the model, where they are constants."""


def listed(made: onnx.ModelProto, names: str) -> onnx.ModelProto:
    """The same model with these weights among its inputs."""
    copy = onnx.ModelProto()
    copy.CopyFrom(made)
    weights = {tensor.name: tensor for tensor in copy.graph.initializer}
    chosen = [weights[name] for name in names.split()]
    copy.graph.input.extend(helper.make_tensor_value_info(one.name, one.data_type, one.dims) for one in chosen)
    return copy


def answer(made: onnx.ModelProto, **given: NDArray[np.generic]) -> NDArray[np.generic]:
    """What ONNX Runtime computes."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (image,) = session.get_inputs()
    kind = np.uint8 if "uint8" in image.type else np.float32
    values = np.arange(np.prod(image.shape)).reshape(image.shape) % 7
    return np.asarray(session.run(None, {image.name: values.astype(kind), **given})[0])


@pytest.mark.parametrize("name", NETS)
def test_weights_that_cost_time_where_they_are_inputs(name: str) -> None:
    plain = from_onnx(NETS[name], listed_weights_are_inputs=True)
    assert not any(operator.weights_are_inputs for operator in plain.operators)
    for weight in [tensor.name for tensor in NETS[name].graph.initializer]:
        (operator,) = from_onnx(listed(NETS[name], weight), listed_weights_are_inputs=True).operators
        assert operator.weights_are_inputs is (weight in COST_TIME.get(name, "").split()), weight
        assert operator.with_constant_weights() == plain.operators[0]
        assert from_onnx(listed(NETS[name], weight)) == plain, "for runtimes that take them as constants"


@pytest.mark.parametrize("name", NETS)
def test_their_operations_are_counted_constant_or_not(name: str) -> None:
    weights = " ".join(tensor.name for tensor in NETS[name].graph.initializer)
    for made in (NETS[name], listed(NETS[name], weights)):
        assert from_onnx(made, listed_weights_are_inputs=True).flops == FLOPS[name]


@pytest.mark.parametrize("name", COST_TIME)
def test_they_are_inputs_of_onnx_runtime_until_the_file_is_fixed(name: str, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(listed(NETS[name], COST_TIME[name]), path)
    for weight in COST_TIME[name].split():
        (tensor,) = [tensor for tensor in NETS[name].graph.initializer if tensor.name == weight]
        zero = np.zeros_like(onnx.numpy_helper.to_array(tensor))
        assert not np.array_equal(answer(onnx.load(path), **{weight: zero}), answer(onnx.load(path))) or not zero.ndim
    content, changes = fixed_model(path)
    assert changes == [f"weights that were inputs are constants now: {len(COST_TIME[name].split())}"]
    fixed = onnx.load_from_string(content)
    assert np.array_equal(answer(fixed), answer(NETS[name]))
    assert from_onnx(fixed, listed_weights_are_inputs=True) == from_onnx(NETS[name])


@pytest.mark.parametrize("name", ["LSTM", "GRU", "ConvTranspose", "QLinearConv", "QLinearMatMul", "MatMulInteger"])
def test_a_model_made_of_the_operator_lists_them_too(name: str) -> None:
    graph = from_onnx(listed(NETS[name], "w"), listed_weights_are_inputs=True)
    made = to_model(graph)
    assert from_onnx(made, listed_weights_are_inputs=True) == graph
    assert answer(made).shape == graph.operators[0].output_shapes[0]


def test_an_operator_of_another_domain_is_no_operator_of_onnx() -> None:
    made = NETS["ConvTranspose"]
    other = listed(made, "w")
    other.graph.node[0].domain = "com.example"
    other.opset_import.append(helper.make_opsetid("com.example", 1))
    other.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, (1, 4, 9, 9)))
    (operator,) = from_onnx(other, listed_weights_are_inputs=True).operators
    assert not operator.weights_are_inputs
