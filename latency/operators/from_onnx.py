"""The operator graph of any ONNX model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from devices.input_values import decode, encode_all
from devices.listed_weights import listed_weights
from devices.model_inputs import ModelInput, fix_input_shapes, model_inputs
from devices.model_limits import MAX_TENSOR_NUMBERS, TensorTooLargeError, check_size
from devices.model_normal_form import normalise
from devices.shape_inputs import shape_deciding_inputs
from foundation.errors import UserError
from latency.operators.canonical_form import canonicalise
from latency.operators.constant_folding import FoldedModel, fold
from latency.operators.fusion import fuse
from latency.operators.node_readers import read_operator
from latency.operators.nodes import Node, NodeGraph, node_graph, refuse_unknown_shapes
from latency.operators.old_opsets import MIN_OPSET, upgrade
from latency.operators.operator import ARE_INPUTS, WEIGHTS, Operator, OperatorGraph, Shape

MAX_OPERATORS = 5_000
"""A predictor compares each operator with every other one; large nets have some hundred."""
_SETTING = 2
"""Most dimensions of an input that is a setting, such as a ratio, a size or a mask of words, and no picture."""
_KEPT_BYTES = 1 << 16
"""External weights up to this size are read: they may be settings, such as the sizes of a Resize."""


def from_onnx(
    model: onnx.ModelProto | Path,
    input_shapes: Mapping[str, Shape] | None = None,
    input_values: Mapping[str, NDArray[np.generic]] | None = None,
    *,
    listed_weights_are_inputs: bool = False,
) -> OperatorGraph:
    """Reads the operators of a model, after the fusions that all runtimes perform.

    Args:
        model: the model or its file.
        input_shapes: by input name; needed where an input has dynamic dimensions.
        input_values: by input name; needed where an input's numbers decide sizes inside the model.
        listed_weights_are_inputs: as of the ``Device``; operators with such weights have the attribute ``WEIGHTS``.

    Raises:
        UserError: missing or broken file, dynamic input without a shape, control flow, shapes that depend on
            values, an opset that is too old or too new, more than ``MAX_OPERATORS`` operators.
        TensorTooLargeError: an input or activation of ``MAX_TENSOR_NUMBERS`` or more.
    """
    model = _load(model) if isinstance(model, Path) else _copy(model)
    values = encode_all(input_values or {})
    with errors_of_the_file():
        opset = upgrade(model, _check_opset(model))
        inputs = model_inputs(model, tuple((input_shapes or {}).items()), values)
        fix_input_shapes(model, {each.name: each.shape for each in inputs})
        names = shape_deciding_inputs(model)
        deciding = [each for each in inputs if each.name in names]
        folded = fold(model, {each.name: decode(each.value) for each in deciding if each.value})
        missing = [each.name for each in deciding if not each.value and len(each.shape) <= _SETTING]
        refuse_unknown_shapes(folded, missing)
        _check_tensors(folded)
        graph = node_graph(folded, _no_constants(model, folded) if listed_weights_are_inputs else frozenset())
        canonicalise(graph, opset)
        fuse(graph)
        return _operator_graph(graph, [each for each in inputs if each.name not in folded.constants])


@contextmanager
def errors_of_the_file() -> Iterator[None]:
    """Reports errors of a file that ONNX's checker accepts although it is invalid (no groups, unknown types)."""
    try:
        yield
    except UserError:
        raise
    except onnx.shape_inference.InferenceError as error:
        raise UserError(
            "model",
            seen=" ".join(str(error).split())[:200],
            expected="operators whose shapes agree",
            remedy="check the given input shapes, or export the network again",
        ) from error
    except Exception as error:
        raise UserError(
            "model",
            seen=" ".join(f"{type(error).__name__}: {error}".split())[:200],
            expected="operators as ONNX defines them",
            remedy="run it with its runtime; export it again where it fails there, report it where it runs",
        ) from error


def _load(path: Path) -> onnx.ModelProto:
    from devices.external_data import embed_external_data
    from devices.model_file import check_model

    model = check_model(path)
    embed_external_data(path, model, limit=_KEPT_BYTES)
    return model


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = deepcopy(model)
    normalise(copy)
    check_size("model", copy)
    return copy


def _check_opset(model: onnx.ModelProto) -> int:
    newest = onnx.defs.onnx_opset_version()
    versions = [opset.version for opset in model.opset_import if opset.domain in ("", "ai.onnx")]
    if not versions or not MIN_OPSET <= versions[0] <= newest:
        raise UserError(
            "opset of the model",
            seen=versions[0] if versions else "none",
            expected=f"{MIN_OPSET} to {newest}",
            remedy="export the network with opset 17",
        )
    return int(versions[0])


def _no_constants(model: onnx.ModelProto, folded: FoldedModel) -> frozenset[str]:
    """The listed weights, and what is computed of them."""
    found = set(listed_weights(model.graph))
    for node in model.graph.node:
        if not found.isdisjoint(node.input) and all(name in folded.constants for name in node.output):
            found.update(node.output)
    return frozenset(found)


def _check_tensors(folded: FoldedModel) -> None:
    for node in folded.nodes:
        for name in node.output:
            shape = folded.shapes.get(name, ())
            if prod(shape) >= MAX_TENSOR_NUMBERS:
                raise TensorTooLargeError(
                    f"tensor {name!r} of operator {node.op_type} (node {node.name!r})",
                    seen=f"the shape {'x'.join(map(str, shape))}",
                    expected=f"less than {MAX_TENSOR_NUMBERS:,} numbers in each tensor",
                    remedy="give a smaller input, or export the network again",
                )


def _operator_graph(graph: NodeGraph, inputs: Sequence[ModelInput]) -> OperatorGraph:
    if len(graph.nodes) > MAX_OPERATORS:
        raise UserError(
            "model", seen=f"{len(graph.nodes):,} operators", expected=f"at most {MAX_OPERATORS:,}",
            remedy="predict parts of it, or measure it",
        )  # fmt: skip
    position_of = {each.name: -1 - slot for slot, each in enumerate(inputs)}
    for position, node in enumerate(graph.nodes):
        position_of.update(dict.fromkeys(node.outputs, position))
    return OperatorGraph(
        operators=tuple(_operator(node, graph) for node in graph.nodes),
        inputs=tuple(tuple(position_of[name] for name in node.inputs.values()) for node in graph.nodes),
        input_shapes=tuple(each.shape for each in inputs),
    )


def _operator(node: Node, graph: NodeGraph) -> Operator:
    read = [name for name in node.outputs if name in graph.shapes]
    operator = read_operator(node, [graph.shapes[name] for name in read])
    if any(side < 0 for shape in operator.output_shapes for side in shape):
        raise ValueError(f"{node.kind} {node.name!r} has the output shape {operator.output_shapes[0]}")
    attributes = operator.attributes
    if node.weights_are_inputs:
        attributes = tuple(sorted((*attributes, (WEIGHTS, ARE_INPUTS))))
    return replace(operator, attributes=attributes, tensors=(*node.inner, *reversed(node.outputs)))
