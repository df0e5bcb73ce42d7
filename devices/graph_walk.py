"""Walks over the graphs, tensors and texts of a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx


def all_graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """The graph and the bodies of its If, Loop and Scan nodes."""
    yield graph
    for body in bodies(graph.node):
        yield from all_graphs(body)


def bodies(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.GraphProto]:
    """The graphs among the attributes of these nodes, not those inside of them."""
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield attribute.g
            yield from attribute.graphs


def all_nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """These nodes and all nodes of their bodies."""
    for node in nodes:
        yield node
        for body in bodies((node,)):
            yield from all_nodes(body.node)


def without_functions(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the nodes of its own functions in place of their calls; the same where it has none."""
    from onnx.inliner import inline_local_functions

    return inline_local_functions(model) if model.functions else model


def all_tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Weights and constants, those of bodies and functions included."""
    for graph in all_graphs(model.graph):
        yield from _weights(graph)
        yield from _attribute_tensors(graph.node)
    for function in model.functions:
        yield from _attribute_tensors(function.node)
        for body in bodies(function.node):
            for graph in all_graphs(body):
                yield from _weights(graph)
                yield from _attribute_tensors(graph.node)


def weight_names(graph: onnx.GraphProto) -> set[str]:
    """Names of the weights of a graph, sparse ones included."""
    return {tensor.name for tensor in graph.initializer} | {each.values.name for each in graph.sparse_initializer}


def undecodable_text(message: Any) -> str | None:
    """The first text in a message that is not UTF-8 (protobuf gives bytes then), with its field; None: all are."""
    for field, value in message.ListFields():
        if field.type == field.TYPE_STRING:
            texts = [value] if isinstance(value, str | bytes) else value
            wrong = next((text for text in texts if isinstance(text, bytes)), None)
            if wrong is not None:
                return f"{field.name} {wrong[:40]!r}"
        elif field.type == field.TYPE_MESSAGE:
            for each in [value] if hasattr(value, "ListFields") else value:
                found = undecodable_text(each)
                if found is not None:
                    return found
    return None


def _weights(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)


def _attribute_tensors(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.TensorProto]:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
