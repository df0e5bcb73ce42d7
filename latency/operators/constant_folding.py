"""Evaluates the nodes that do not depend on the values of the input, until every shape of a model is known.

Exported networks compute sizes at run time (``Shape -> Gather -> Concat -> Resize``); a predictor that does not know
the decoder's shapes cannot predict its cost. Folding and shape inference alternate: with each folded size, inference
finds the shape of one more tensor, whose ``Shape`` can then be folded.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.inliner import inline_local_functions

from devices.model_inputs import data_inputs, known_shapes, remove_inner_shapes
from foundation.errors import UserError
from latency.operators.operator import Shape

_MAX_SHOWN = 1024
"""Shape inference gets the values of constants up to this size; larger ones are weights, whose type is enough."""
_MAX_FOLDED = 1 << 24
"""Maximum of the numbers that a node reads and writes; a larger node stays an operator."""
_CONTROL_FLOW = frozenset({"If", "Loop", "Scan", "SequenceMap"})
_RANDOM = frozenset(
    {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial"}
)


@dataclass(slots=True)
class FoldedModel:
    """The nodes that remain, with every constant and every tensor's shape."""

    nodes: list[onnx.NodeProto]
    constants: dict[str, NDArray[np.generic]]
    shapes: dict[str, Shape]
    outputs: list[str]


def fold(model: onnx.ModelProto) -> FoldedModel:
    """Folds a model whose inputs are static.

    Raises:
        UserError: control flow.
    """
    if model.functions:
        model = inline_local_functions(model)
    _refuse_control_flow(model.graph.node)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    nodes = list(model.graph.node)
    opsets = list(model.opset_import)
    while True:
        shapes = _infer(model, nodes, constants)
        left = [node for node in nodes if not _fold_node(node, constants, shapes, opsets)]
        if len(left) == len(nodes):
            break
        nodes = left
    outputs = [value.name for value in model.graph.output if value.name not in constants]
    return FoldedModel(_needed(nodes, outputs), constants, shapes, outputs)


def _refuse_control_flow(nodes: Sequence[onnx.NodeProto]) -> None:
    for node in nodes:
        if node.op_type in _CONTROL_FLOW and node.domain in ("", "ai.onnx"):
            raise UserError(
                f"operator {node.op_type} (node {node.name!r})",
                seen="control flow",
                expected="a graph without branches and loops, whose latency does not depend on the image",
                remedy="export the network with them unrolled",
            )


def _infer(
    model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto], constants: dict[str, NDArray[np.generic]]
) -> dict[str, Shape]:
    """Shapes of all tensors that inference can determine; of large weights it gets the type only."""
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(list(nodes), "skeleton", list(data_inputs(model.graph)), list(model.graph.output))
    graph.value_info.extend(value for value in model.graph.value_info if value.name not in constants)
    for name in used & constants.keys():
        array = constants[name]
        if array.size <= _MAX_SHOWN:
            graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
        else:
            kind = helper.np_dtype_to_tensor_dtype(array.dtype)
            graph.input.append(helper.make_tensor_value_info(name, kind, array.shape))
    skeleton = helper.make_model(graph, opset_imports=list(model.opset_import), ir_version=model.ir_version)
    inferred = _inferred(skeleton).graph
    return {name: tuple(array.shape) for name, array in constants.items()} | known_shapes(inferred)


def _inferred(skeleton: onnx.ModelProto) -> onnx.ModelProto:
    """Uses the shapes noted in the file (for operators that ONNX does not define), unless they are stale."""
    try:
        return onnx.shape_inference.infer_shapes(skeleton, strict_mode=True, data_prop=True)
    except onnx.shape_inference.InferenceError:
        remove_inner_shapes(skeleton.graph)
        return onnx.shape_inference.infer_shapes(skeleton, strict_mode=True, data_prop=True)


def _fold_node(
    node: onnx.NodeProto,
    constants: dict[str, NDArray[np.generic]],
    shapes: dict[str, Shape],
    opsets: Sequence[onnx.OperatorSetIdProto],
) -> bool:
    """Adds the node's outputs to the constants if they are constant."""
    inputs = [name for name in node.input if name]
    if node.op_type == "Shape" and inputs[0] in shapes:
        attributes = {attribute.name: attribute.i for attribute in node.attribute}
        sides = shapes[inputs[0]][attributes.get("start", 0) : attributes.get("end")]
        constants[node.output[0]] = np.array(sides, np.int64)
        return True
    if node.op_type == "Size" and inputs[0] in shapes:
        constants[node.output[0]] = np.array(np.prod(shapes[inputs[0]], dtype=np.int64))
        return True
    known = [constants[name] for name in inputs if name in constants]
    if len(known) < len(inputs) or node.op_type in _RANDOM:
        return False
    numbers = sum(array.size for array in known) + sum(prod(shapes.get(name, ())) for name in node.output)
    if numbers > _MAX_FOLDED:
        return False
    values = _evaluate(node, dict(zip(inputs, known, strict=True)), opsets)
    if values is None:
        return False
    constants.update(values)
    return True


def _evaluate(
    node: onnx.NodeProto, feeds: dict[str, NDArray[np.generic]], opsets: Sequence[onnx.OperatorSetIdProto]
) -> dict[str, NDArray[np.generic]] | None:
    """Outputs of one node by ONNX's reference implementation; None where that has no such operator."""
    from onnx.reference import ReferenceEvaluator

    outputs = [name for name in node.output if name]
    inputs = [helper.make_empty_tensor_value_info(name) for name in feeds]
    graph = helper.make_graph([node], "constant", inputs, [helper.make_empty_tensor_value_info(o) for o in outputs])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = ReferenceEvaluator(helper.make_model(graph, opset_imports=list(opsets))).run(None, feeds)
    except Exception:  # an operator that cannot be evaluated stays an operator
        return None
    return {name: np.asarray(result) for name, result in zip(outputs, results, strict=True)}


def _needed(nodes: Sequence[onnx.NodeProto], outputs: Sequence[str]) -> list[onnx.NodeProto]:
    """The nodes on which an output depends."""
    needed = set(outputs)
    kept: list[onnx.NodeProto] = []
    for node in reversed(nodes):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    return kept[::-1]
