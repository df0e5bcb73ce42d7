"""One form for every operator, independent of the opset.

From opset to opset attributes became inputs, defaults changed, axes may be negative; the cost of the operator stayed
the same. In canonical form the same net has the same graph in every opset: that of opset 17, in which
``latency.operators.synthesize`` writes.
"""

from __future__ import annotations

from math import prod

import numpy as np
import onnx
from onnx import helper

from latency.operators.nodes import Node, NodeGraph
from latency.operators.operator import AttributeValue, Shape
from latency.operators.slices_and_pads import plain_pad, plain_slice

_SOFTMAX_OVER_ONE_AXIS = 13
"""Since this opset; before, all axes from the given one on were taken together."""
_DEFAULT_AXIS = {"LayerNormalization": -1}
_WITHOUT_COST = frozenset({"epsilon", "momentum", "stash_type"})
_POOLS = frozenset({"MaxPool", "AveragePool", "LpPool"})
_ONCE_ATTRIBUTES = {"Slice": ("starts", "ends", "axes"), "Pad": ("pads", "value")}
"""Attributes of opsets before 10 and 11, in the order of the inputs that they became, from the second on."""
_KEPT_AS_THEY_ARE = frozenset({"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd"})
"""Reductions that do nothing where they have no axes, if ``noop_with_empty_axes`` says so."""
_COMMUTATIVE = frozenset({"Add", "Mul"})
_SOFTMAX = frozenset({"Softmax", "LogSoftmax", "Hardmax"})


def canonicalise(graph: NodeGraph, opset: int) -> None:
    """Rewrites attributes and constants in place; ``opset`` is the model's."""
    for node in graph.nodes:
        if node.domain or not node.inputs:
            continue
        if node.kind in _SOFTMAX:
            _canonicalise_softmax(node, graph, opset)
        elif node.kind == "Split":
            _drop_sizes(node)
        elif node.kind.startswith("Reduce"):
            _axes_to_attribute(node)
        elif node.kind == "Gemm":
            _transpose_constant_weights(node)
        elif node.kind in _ONCE_ATTRIBUTES:
            _attributes_to_constants(node)
            (plain_slice if node.kind == "Slice" else plain_pad)(node)
        elif node.kind in _COMMUTATIVE and list(node.inputs) == [1] and list(node.constants) == [0]:
            _constant_last(node)
        _make_axes_non_negative(node)
        _drop_defaults(node, opset)


def _canonicalise_softmax(node: Node, graph: NodeGraph, opset: int) -> None:
    shape = node.input_shape
    modern = opset >= _SOFTMAX_OVER_ONE_AXIS
    axis = _int(node.attributes.get("axis"), -1 if modern else 1) % max(len(shape), 1)
    if not modern and prod(shape[axis + 1 :]) != 1:
        flat: Shape = (prod(shape[:axis]), prod(shape[axis:]))
        node.input_shapes, graph.shapes[node.output], axis = {0: flat}, flat, 1
    node.attributes["axis"] = axis


def _drop_sizes(node: Node) -> None:
    """The output shapes contain them."""
    node.constants.pop(1, None)
    for name in ("split", "num_outputs"):
        node.attributes.pop(name, None)
    node.attributes.setdefault("axis", 0)


def _axes_to_attribute(node: Node) -> None:
    if 1 in node.inputs:
        return
    axes = node.constants.pop(1, None)
    if axes is not None and axes.size:
        node.attributes["axes"] = tuple(int(axis) for axis in axes.reshape(-1))
    without_axes = node.attributes.pop("noop_with_empty_axes", 0)
    if without_axes and "axes" not in node.attributes and node.kind in _KEPT_AS_THEY_ARE:
        node.kind, node.attributes = "Identity", {}


def _attributes_to_constants(node: Node) -> None:
    for slot, name in enumerate(_ONCE_ATTRIBUTES[node.kind], 1):
        value = node.attributes.pop(name, None)
        if value is not None:
            node.constants[slot] = np.array(value, np.float32 if isinstance(value, float) else np.int64)


def _transpose_constant_weights(node: Node) -> None:
    """Runtimes bring constant weights into a layout of their own when they load a model."""
    if node.attributes.get("transB") and 1 in node.constants and not node.weights_are_inputs:
        node.constants[1] = node.constants[1].T
        del node.attributes["transB"]


def _constant_last(node: Node) -> None:
    node.inputs, node.input_shapes = {0: node.inputs[1]}, {0: node.input_shapes[1]}
    node.constants = {1: node.constants[0]}


def _make_axes_non_negative(node: Node) -> None:
    shape = node.input_shapes.get(0, node.constants[0].shape if 0 in node.constants else node.input_shape)
    rank = max(len(shape), 1)
    axis, axes = node.attributes.get("axis", _DEFAULT_AXIS.get(node.kind)), node.attributes.get("axes")
    if isinstance(axis, int) and node.kind != "Concat":
        node.attributes["axis"] = axis % rank
    if isinstance(axes, tuple):
        node.attributes["axes"] = tuple(sorted(axis % rank for axis in axes))


def _drop_defaults(node: Node, opset: int) -> None:
    """Removes defaults and attributes without influence on cost; an axis stays, because its default changed."""
    defaults = _defaults(node.kind, opset)
    for name, value in list(node.attributes.items()):
        default = name in defaults and defaults[name] == value and name != "axis"
        if default or name in _WITHOUT_COST or (node.kind in _POOLS and _is_plain(name, value)):
            del node.attributes[name]


def _is_plain(name: str, value: AttributeValue) -> bool:
    plain = {"strides": 1, "dilations": 1, "pads": 0}
    return name in plain and isinstance(value, tuple) and set(value) == {plain[name]}


def _defaults(kind: str, opset: int) -> dict[str, AttributeValue]:
    if not onnx.defs.has(kind, opset, ""):
        return {}
    values = {
        name: helper.get_attribute_value(attribute.default_value)
        for name, attribute in onnx.defs.get_schema(kind, opset, "").attributes.items()
        if attribute.default_value.type != onnx.AttributeProto.UNDEFINED
    }
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in values.items()}


def _int(value: AttributeValue | None, default: int) -> int:
    return value if isinstance(value, int) else default
