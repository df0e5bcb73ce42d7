"""Operator times of ncnn: asked for one blob after the other, it computes a net layer by layer.

Layers have names of the converter's own; the tensors of the user's model that they make are found by their values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from devices.backends.ncnn.calls import Net, extract
from devices.backends.ncnn.layer_graph import LayerGraph, layer_graph
from devices.backends.ncnn.layer_times import LayerTime, layer_times
from devices.backends.ncnn.tensor_values import TensorFinder, tensor_values
from devices.model_inputs import tensor_shapes
from devices.operator_join import ExecutedNode, join_rows, with_shapes
from devices.profiled_model import load_named
from devices.tensor_graph import TensorGraph
from devices.worker.runtime import Array, ModelFailedError, OperatorProfile

SOURCE = "ncnn layer by layer"
_PACKING = "Packing"


def profile_model(net: Net, path: Path, inputs: Mapping[str, Array], runs: int) -> OperatorProfile:
    """Runs the net layer by layer and joins the times to the tensors of the model at ``path``.

    Raises:
        ModelFailedError: ncnn fails, or computes something else than ONNX Runtime.
    """
    model, _ = load_named(path)
    graph, feeds = layer_graph(net), net.feeds(inputs)
    times = layer_times(net, feeds, graph, runs)
    finder = TensorFinder(TensorGraph(model.graph), tensor_values(model, inputs), net.signature.outputs)
    extractor = net.extractor(feeds)
    nodes = executed_nodes(graph, times, finder, lambda blob: np.array(extract(extractor, blob).numpy(batch_index=0)))
    shapes = tensor_shapes(model, {name: array.shape for name, array in inputs.items()})
    return OperatorProfile(SOURCE, with_shapes(join_rows(nodes), shapes))


def executed_nodes(
    graph: LayerGraph, times: Sequence[LayerTime], finder: TensorFinder, value: Callable[[int], Array]
) -> list[ExecutedNode]:
    """The layers with their times, inputs and the tensors of the user's model that they make.

    A layer that makes none works for the next one that makes some. Bringing inputs into a layout is a node of its own.

    Args:
        graph: the net's.
        times: of each layer.
        finder: of the user's model.
        value: of a blob.

    Raises:
        ModelFailedError: an output has other values than in the user's model.
    """
    nodes: list[ExecutedNode] = []
    made_by: dict[int, int | str] = dict(graph.inputs)
    known: dict[int, frozenset[str]] = {blob: frozenset((name,)) for blob, name in graph.inputs.items()}
    for layer, time in zip(graph.layers, times, strict=True):
        sources = tuple(made_by[blob] for blob in layer.inputs if blob in made_by)
        if not sources:
            continue  # a constant
        if time.packing_ms:
            nodes.append(ExecutedNode(_PACKING, time.packing_ms, sources))
            sources = (*sources, len(nodes) - 1)
        reads = frozenset[str]().union(*(known[blob] for blob in layer.inputs if blob in known))
        found = {blob: _tensor(blob, graph, finder, value, reads) for blob in layer.outputs}
        made_by.update(dict.fromkeys(found, len(nodes)))
        known.update((blob, frozenset((name,)) if name else reads) for blob, name in found.items())
        nodes.append(ExecutedNode(layer.kind, time.own_ms, sources, tuple(name for name in found.values() if name)))
    return _with_helpers_named(nodes)


def _tensor(
    blob: int, graph: LayerGraph, finder: TensorFinder, value: Callable[[int], Array], reads: frozenset[str]
) -> str | None:
    name = graph.outputs.get(blob)
    if name is None:
        return finder.find(value(blob), reads)
    if not finder.equal(name, value(blob)):
        raise ModelFailedError(f"output {name!r} has other values than ONNX Runtime's")
    return name


def _with_helpers_named(nodes: list[ExecutedNode]) -> list[ExecutedNode]:
    """Gives nodes without a tensor those of the first node that reads them."""
    for index in reversed(range(len(nodes))):
        for source in nodes[index].sources:
            if isinstance(source, int) and not nodes[source].outputs and nodes[source].kernel != _PACKING:
                nodes[source] = replace(nodes[source], outputs=nodes[index].outputs)
    return nodes
