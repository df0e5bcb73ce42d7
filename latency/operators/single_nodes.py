"""Models of the single nodes of an ONNX file, cut out as they are written, for runtimes that refuse the whole.

Unlike ``synthesize.py`` nothing is fused or made anew: attributes, types and weights are those of the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from devices.external_data import embed_external_data
from devices.graph_walk import bodies, without_functions
from devices.input_values import decode
from devices.model_file import check_model
from devices.model_inputs import ModelInput, fix_input_shapes
from devices.shape_inputs import shape_deciding_inputs
from foundation.errors import UserError
from foundation.regular_file import MODEL_BYTES
from latency.operators.constant_folding import fold
from latency.operators.from_onnx import errors_of_the_file
from latency.operators.operator import Shape

_SETTING = 8
"""Constants of at most so many numbers, such as the scales of a Resize, make two nodes different operators."""
_NO_DATA = frozenset({TensorProto.UNDEFINED, TensorProto.STRING})


@dataclass(frozen=True, slots=True)
class SingleNode:
    """A node of a file, and a model of this node alone."""

    name: str
    """Its own; that of its first output where it has none."""
    kind: str
    """Operator type, with its domain where that is not ONNX's: ``com.microsoft.FusedConv``."""
    model: onnx.ModelProto | None = None
    reason: str = ""
    """Why there is no model."""


@dataclass(frozen=True, slots=True)
class _Tensors:
    """What is known of the tensors of a file."""

    weights: Mapping[str, TensorProto]
    constants: Mapping[str, NDArray[np.generic]]
    """Computed from weights and shapes; of large ones every number is zero."""
    shapes: Mapping[str, Shape]
    types: Mapping[str, onnx.TypeProto]


def nodes_of(path: Path) -> list[SingleNode]:
    """The nodes of a file without their models; those of functions stand in their place.

    Raises:
        UserError: see ``check_model``.
    """
    return [_named(node) for node in without_functions(check_model(path)).graph.node]


def single_nodes(path: Path, inputs: Sequence[ModelInput]) -> Iterator[SingleNode]:
    """The same nodes with their models, for these inputs of the file; each model is made when it is asked for.

    There is no model of a node that holds a graph of its own, of one that reads a tensor whose shape is not known or
    that is no tensor of numbers, and of any node of a file with control flow.

    Raises:
        UserError: see ``check_model``.
    """
    model = without_functions(check_model(path))
    try:
        with errors_of_the_file():
            tensors = _read_tensors(path, model, inputs)
    except UserError as error:
        reason = _reason(error)
        return (_named(node, reason=reason) for node in model.graph.node)
    return (_single_node(node, tensors, model) for node in model.graph.node)


def same_operator(model: onnx.ModelProto) -> bytes:
    """Equal for the models of nodes that are the same operator: attributes, shapes, types and settings are equal."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for tensor in copy.graph.initializer:
        if prod(tensor.dims) > _SETTING:
            tensor.CopyFrom(TensorProto(name=tensor.name, dims=tensor.dims, data_type=tensor.data_type))
    content: bytes = copy.SerializeToString(deterministic=True)
    return content


def _named(node: onnx.NodeProto, model: onnx.ModelProto | None = None, reason: str = "") -> SingleNode:
    name = node.name or next((name for name in node.output if name), "")
    kind = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
    return SingleNode(name, kind, model, reason)


def _reason(error: UserError) -> str:
    return f"{error.what}: {error.seen}"


def _read_tensors(path: Path, model: onnx.ModelProto, inputs: Sequence[ModelInput]) -> _Tensors:
    """The model is changed: its inputs are fixed, and its external weights are read."""
    fix_input_shapes(model, {each.name: each.shape for each in inputs})
    deciding = shape_deciding_inputs(model)
    folded = fold(model, {each.name: decode(each.value) for each in inputs if each.value and each.name in deciding})
    inferred = onnx.shape_inference.infer_shapes(model).graph
    embed_external_data(path, model, limit=MODEL_BYTES)
    return _Tensors(
        {tensor.name: tensor for tensor in model.graph.initializer},
        folded.constants,
        folded.shapes,
        {value.name: value.type for value in (*inferred.input, *inferred.value_info, *inferred.output)},
    )


def _single_node(node: onnx.NodeProto, tensors: _Tensors, model: onnx.ModelProto) -> SingleNode:
    try:
        with errors_of_the_file():
            graph = _graph(node, tensors)
    except UserError as error:
        return _named(node, reason=_reason(error))
    return _named(node, helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version))


def _graph(node: onnx.NodeProto, tensors: _Tensors) -> onnx.GraphProto:
    """The node with names of its own, so that equal operators become equal graphs."""
    if any(True for _ in bodies((node,))):
        raise _uncut("its attributes", "a graph")
    read = list(dict.fromkeys(name for name in node.input if name))
    local = {name: f"x{slot}" for slot, name in enumerate(read)}
    local |= {name: f"y{slot}" for slot, name in enumerate(node.output) if name}
    alone = helper.make_node(
        node.op_type,
        [local.get(name, "") for name in node.input],
        [local.get(name, "") for name in node.output],
        domain=node.domain,
    )
    alone.attribute.extend(node.attribute)
    weights = [_weight(name, local[name], tensors) for name in read if name in tensors.constants]
    inputs = [_input(name, local[name], tensors) for name in read if name not in tensors.constants]
    graph = helper.make_graph([alone], "operator", inputs, [], weights)
    for name in filter(None, node.output):
        _add_output(graph, local[name], tensors.types.get(name), tensors.shapes.get(name))
    if not inputs:
        _add_input(graph)
    return graph


def _weight(name: str, local: str, tensors: _Tensors) -> TensorProto:
    if name not in tensors.weights:
        return numpy_helper.from_array(np.asarray(tensors.constants[name]), local)
    copy = TensorProto()
    copy.CopyFrom(tensors.weights[name])
    copy.name = local
    return copy


def _input(name: str, local: str, tensors: _Tensors) -> onnx.ValueInfoProto:
    kind, shape = tensors.types.get(name), tensors.shapes.get(name)
    if kind is None or shape is None or kind.tensor_type.elem_type in _NO_DATA:
        raise _uncut("an input", "no tensor of numbers, or one of unknown shape (as after an operator that ONNX lacks)")
    return helper.make_tensor_value_info(local, kind.tensor_type.elem_type, shape)


def _add_output(graph: onnx.GraphProto, name: str, kind: onnx.TypeProto | None, shape: Shape | None) -> None:
    """An output of unknown type is cast: an output must have a type, and only the runtime knows that of the node."""
    if kind is None or kind.WhichOneof("value") is None:
        graph.node.append(helper.make_node("Cast", [name], [f"{name}_float"], to=TensorProto.FLOAT))
        graph.output.append(helper.make_tensor_value_info(f"{name}_float", TensorProto.FLOAT, None))
        return
    if kind.tensor_type.elem_type in _NO_DATA:
        raise _uncut("an output", "no tensor of numbers")
    graph.output.append(helper.make_tensor_value_info(name, kind.tensor_type.elem_type, shape))


def _add_input(graph: onnx.GraphProto) -> None:
    """For a node that reads constants only: a model has an input."""
    graph.node.append(helper.make_node("Identity", ["given"], ["given_again"]))
    graph.input.append(helper.make_tensor_value_info("given", TensorProto.FLOAT, (1,)))
    graph.output.append(helper.make_tensor_value_info("given_again", TensorProto.FLOAT, (1,)))


def _uncut(what: str, seen: str) -> UserError:
    return UserError(what, seen=seen, expected="tensors of known shapes", remedy="export the network again")
