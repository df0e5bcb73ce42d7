"""ReLU that is written as ``Clip(0, infinity)``: some runtimes do not fuse that into the convolution before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from devices.external_data import is_external
from devices.graph_walk import all_graphs
from devices.listed_weights import listed_weights

if TYPE_CHECKING:
    import onnx

_FLOATS = ("float16", "float32", "float64")


def relus_as_clip(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The nodes of the main graph that cut off negative floating-point numbers and nothing else."""
    scalars = _scalars(graph)
    clips = (node for node in graph.node if node.op_type == "Clip" and node.domain in ("", "ai.onnx"))
    return [node for node in clips if _is_relu(node, scalars)]


def write_relus(graph: onnx.GraphProto) -> None:
    """Writes these nodes as ReLU, in place, and removes the limits that nothing reads any more."""
    limits: set[str] = set()
    for node in relus_as_clip(graph):
        limits.update(node.input[1:])
        node.op_type = "Relu"
        del node.input[1:], node.attribute[:]
    for each in all_graphs(graph):
        limits.difference_update(*(node.input for node in each.node), (output.name for output in each.output))
    weights = [tensor for tensor in graph.initializer if tensor.name not in limits]
    nodes = [node for node in graph.node if node.op_type != "Constant" or node.output[0] not in limits]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(weights)
    graph.node.extend(nodes)


def _scalars(graph: onnx.GraphProto) -> dict[str, onnx.TensorProto]:
    """Constants of one number, by name."""
    listed = listed_weights(graph)
    found = {tensor.name: tensor for tensor in graph.initializer if tensor.name not in listed}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].HasField("t"):
            found[node.output[0]] = node.attribute[0].t
    return {name: tensor for name, tensor in found.items() if all(side == 1 for side in tensor.dims)}


def _is_relu(node: onnx.NodeProto, scalars: Mapping[str, onnx.TensorProto]) -> bool:
    attributes = {each.name: _number(np.float32(each.f)) for each in node.attribute}  # before opset 11
    low, high = (attributes.get(name, _input(node, slot, scalars)) for slot, name in ((1, "min"), (2, "max")))
    return low == 0 and high in (None, float("inf"))


def _input(node: onnx.NodeProto, slot: int, scalars: Mapping[str, onnx.TensorProto]) -> float | None:
    """None where there is no such limit, NaN where it is not known here."""
    from onnx import numpy_helper

    if len(node.input) <= slot or not node.input[slot]:
        return None
    tensor = scalars.get(node.input[slot])
    if tensor is None or is_external(tensor):
        return float("nan")
    return _number(numpy_helper.to_array(tensor).reshape(-1)[0])


def _number(value: Any) -> float:
    """Infinity for the largest number of its type, NaN for one of a type that ``Relu`` may lack."""
    if value.dtype.name not in _FLOATS:
        return float("nan")
    return float("inf") if value == np.finfo(value.dtype).max else float(value)
