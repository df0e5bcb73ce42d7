"""The operator graph of any ONNX model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import onnx

from devices.model_inputs import fix_input_shapes, model_inputs
from foundation.errors import UserError
from latency.operators.canonical_form import canonicalise
from latency.operators.constant_folding import fold
from latency.operators.fusion import fuse
from latency.operators.node_readers import read_operator
from latency.operators.nodes import Node, NodeGraph, node_graph
from latency.operators.operator import Operator, OperatorGraph, Shape

MIN_OPSET = 9


def from_onnx(model: onnx.ModelProto | Path, input_shapes: Mapping[str, Shape] | None = None) -> OperatorGraph:
    """Reads the operators of a model, after the fusions that all runtimes perform.

    Args:
        model: the model or its file.
        input_shapes: by input name; needed where an input has dynamic dimensions.

    Raises:
        UserError: missing or broken file, dynamic input without a shape, control flow, shapes that depend on
            values, an opset that is too old or too new.
    """
    model = _load(model) if isinstance(model, Path) else deepcopy(model)
    opset = _check_opset(model)
    shapes = {each.name: each.shape for each in model_inputs(model, tuple((input_shapes or {}).items()))}
    fix_input_shapes(model, shapes)
    with _errors_of_the_file():
        folded = fold(model)
    graph = node_graph(folded)
    canonicalise(graph, opset)
    fuse(graph)
    with _errors_of_the_file():
        return _operator_graph(graph, shapes)


@contextmanager
def _errors_of_the_file() -> Iterator[None]:
    """Reports errors of a file that ONNX's checker accepts although it is invalid (no groups, unknown types)."""
    try:
        yield
    except onnx.shape_inference.InferenceError as error:
        raise UserError(
            "model",
            seen=" ".join(str(error).split())[:200],
            expected="operators whose shapes agree",
            remedy="check the given input shapes, or export the network again",
        ) from error
    except (ArithmeticError, LookupError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(
            "model",
            seen=" ".join(f"{type(error).__name__}: {error}".split())[:200],
            expected="operators as ONNX defines them",
            remedy="run it with its runtime; export it again where it fails there, report it where it runs",
        ) from error


def _load(path: Path) -> onnx.ModelProto:
    from devices.model_file import check_model

    model = check_model(path)
    onnx.load_external_data_for_model(model, str(path.parent))
    return model


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


def _operator_graph(graph: NodeGraph, input_shapes: Mapping[str, Shape]) -> OperatorGraph:
    position_of = {name: -1 - slot for slot, name in enumerate(input_shapes)}
    for position, node in enumerate(graph.nodes):
        position_of.update(dict.fromkeys(node.outputs, position))
    return OperatorGraph(
        operators=tuple(_operator(node, graph) for node in graph.nodes),
        inputs=tuple(tuple(position_of[name] for name in node.inputs.values()) for node in graph.nodes),
        input_shapes=tuple(input_shapes.values()),
    )


def _operator(node: Node, graph: NodeGraph) -> Operator:
    read = [name for name in node.outputs if name in graph.shapes]
    operator = read_operator(node, [graph.shapes[name] for name in read])
    if any(side < 0 for shape in operator.output_shapes for side in shape):
        raise ValueError(f"{node.kind} {node.name!r} has the output shape {operator.output_shapes[0]}")
    return replace(operator, tensors=(*node.inner, *reversed(node.outputs)))
