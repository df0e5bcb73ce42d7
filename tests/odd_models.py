"""Small models as they are found in the wild, built by ONNX's helper: odd, but of use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


def conv_net(
    shape: Sequence[int | str] = (1, 3, 32, 32), *, opset: int = 17, ir: int = 8, listed: bool = False
) -> onnx.ModelProto:
    """Two convolutions; ``listed``: their weights are inputs, too."""
    random = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(random.standard_normal(sides).astype(np.float32), name)
        for name, sides in (("w1", (8, 3, 3, 3)), ("w2", (2, 8, 3, 3)))
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["a"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w2"], ["y"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    ]
    inputs = [value("x", shape)]
    if listed:
        inputs += [value(tensor.name, tensor.dims) for tensor in weights]
    return model(nodes, inputs, [value("y", (shape[0], 2, *shape[2:]))], weights, opset=opset, ir=ir)


def value(name: str, shape: Sequence[int | str | None] | None, kind: int = FLOAT) -> onnx.ValueInfoProto:
    """Name, type and shape of a tensor."""
    return helper.make_tensor_value_info(name, kind, shape)


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    weights: Sequence[onnx.TensorProto] = (),
    *,
    opset: int = 17,
    ir: int = 8,
    **fields: Any,
) -> onnx.ModelProto:
    """A model of these parts."""
    graph = helper.make_graph(list(nodes), "net", list(inputs), list(outputs), list(weights))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir, **fields)


def constant(name: str, values: Any, dtype: type[np.generic]) -> onnx.TensorProto:
    """A weight of these values."""
    return numpy_helper.from_array(np.asarray(values, dtype), name)


def ratio_net() -> onnx.ModelProto:
    """A picture that is resized by the number in a second input, then a ReLU."""
    nodes = [
        helper.make_node("Concat", ["ones", "ratio", "ratio"], ["scales"], axis=0),
        helper.make_node("Resize", ["x", "", "scales"], ["small"], mode="linear"),
        helper.make_node("Relu", ["small"], ["y"]),
    ]
    inputs = [value("x", (1, 3, 64, 64)), value("ratio", (1,))]
    return model(nodes, inputs, [value("y", [None] * 4)], [constant("ones", [1, 1], np.float32)])


def range_net() -> onnx.ModelProto:
    """As many numbers as the second input says."""
    nodes = [
        helper.make_node("Range", ["zero", "count", "one"], ["r"]),
        helper.make_node("Cast", ["r"], ["f"], to=FLOAT),
        helper.make_node("ReduceSum", ["x"], ["s"], keepdims=0),
        helper.make_node("Add", ["f", "s"], ["y"]),
    ]
    inputs = [value("x", (1, 8)), value("count", (), TensorProto.INT64)]
    weights = [constant("zero", 0, np.int64), constant("one", 1, np.int64)]
    return model(nodes, inputs, [value("y", [None])], weights)


def embedded_words() -> onnx.ModelProto:
    """Words by number, embedded and multiplied; beside it the places of those that are no padding."""
    random = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(random.standard_normal(sides).astype(np.float32), name)
        for name, sides in (("table", (10, 8)), ("w", (8, 8)))
    ]
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["words"]),
        helper.make_node("MatMul", ["words", "w"], ["y"]),
        helper.make_node("NonZero", ["ids"], ["places"]),
    ]
    outputs = [value("y", (1, 4, 8)), value("places", (2, None), TensorProto.INT64)]
    return model(nodes, [value("ids", (1, 4), TensorProto.INT64)], outputs, weights)


def positions() -> onnx.ModelProto:
    """Where a convolution is positive: as many positions as the picture happens to have."""
    net = conv_net()
    del net.graph.output[:]
    net.graph.output.append(value("z", (4, None), TensorProto.INT64))
    net.graph.node.append(helper.make_node("NonZero", ["y"], ["z"]))
    return net


def cast_net(kind: int) -> onnx.ModelProto:
    """An input of any element type, cast to float32."""
    nodes = [helper.make_node("Cast", ["x"], ["c"], to=FLOAT), helper.make_node("Relu", ["c"], ["y"])]
    return model(nodes, [value("x", (1, 16), kind)], [value("y", (1, 16))], opset=21, ir=10)


def text_net() -> onnx.ModelProto:
    """Texts compared with a constant text."""
    nodes = [helper.make_node("Equal", ["x", "word"], ["e"]), helper.make_node("Cast", ["e"], ["y"], to=FLOAT)]
    word = helper.make_tensor("word", TensorProto.STRING, [1], [b"cat"])
    return model(nodes, [value("x", (1, 4), TensorProto.STRING)], [value("y", (1, 4))], [word], opset=21, ir=10)


def text_answer() -> onnx.ModelProto:
    """Answers with text."""
    answer = value("y", (1, 3, 32, 32), TensorProto.STRING)
    return model(
        [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.STRING)], [value("x", (1, 3, 32, 32))], [answer]
    )


def sparse_net() -> onnx.ModelProto:
    """A product with a sparse weight."""
    net = model([helper.make_node("MatMul", ["x", "w"], ["y"])], [value("x", (2, 4))], [value("y", (2, 3))])
    numbers = constant("w", [1.0, 2.0], np.float32)
    places = constant("w_places", [0, 5], np.int64)
    net.graph.sparse_initializer.append(helper.make_sparse_tensor(numbers, places, [4, 3]))
    return net


def external_net(location: str, **entries: str) -> onnx.ModelProto:
    """A net whose 16 numbers lie in another file, at the place that the entries say."""
    weight = TensorProto(name="w", data_type=FLOAT, dims=[16], data_location=TensorProto.EXTERNAL)
    for key, text in ({"location": location} | entries).items():
        weight.external_data.add(key=key, value=text)
    return model([helper.make_node("Add", ["x", "w"], ["y"])], [value("x", (1, 16))], [value("y", (1, 16))], [weight])


def nested_functions(depth: int) -> onnx.ModelProto:
    """A function that calls another one twice, and so on: 2^depth nodes."""
    functions = []
    for level in range(depth):
        kind = f"F{level + 1}" if level + 1 < depth else "Relu"
        domain = "local" if level + 1 < depth else ""
        nodes = [
            helper.make_node(kind, ["a"], ["b"], domain=domain),
            helper.make_node(kind, ["b"], ["c"], domain=domain),
        ]
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
        functions.append(helper.make_function("local", f"F{level}", ["a"], ["c"], nodes, opsets))
    net = model(
        [helper.make_node("F0", ["x"], ["y"], domain="local")],
        [value("x", (1, 3))],
        [value("y", (1, 3))],
        functions=functions,
    )
    net.opset_import.append(helper.make_opsetid("local", 1))
    return net


def one_hot_of_ten_gigabytes() -> onnx.ModelProto:
    """A constant that would take 10 GB, described in some 200 bytes; its size comes out of a cast."""
    nodes = [
        helper.make_node("Cast", ["depth"], ["d"], to=TensorProto.INT64),
        helper.make_node("OneHot", ["i", "d", "values"], ["o"]),
        helper.make_node("ReduceSum", ["o"], ["r"], keepdims=0),
        helper.make_node("Add", ["x", "r"], ["y"]),
    ]
    weights = [
        constant("i", [1], np.int64),
        constant("depth", 1.2e9, np.float64),
        constant("values", [0, 1], np.float32),
    ]
    return model(nodes, [value("x", (1, 3, 8, 8))], [value("y", [None] * 4)], weights)


def saved(net: onnx.ModelProto, folder: Path, name: str = "net.onnx") -> Path:
    """Writes the model, valid or not."""
    path = folder / name
    path.write_bytes(net.SerializeToString())
    return path
