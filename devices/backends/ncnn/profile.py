"""Operator times of ncnn: asked for one blob after the other, it computes a net layer by layer.

Layers have names of the converter's own; the tensors of the user's model that they make are found by their values.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from devices.backends.ncnn.calls import Feeds, Net, extract
from devices.backends.ncnn.layer_graph import Layer, LayerGraph, layer_graph
from devices.backends.ncnn.tensor_values import TensorFinder, tensor_values
from devices.model_inputs import tensor_shapes
from devices.operator_join import ExecutedNode, join_rows, with_shapes
from devices.profiled_model import load_named
from devices.statistics import interquartile_mean
from devices.tensor_graph import TensorGraph
from devices.worker.runtime import PROFILE_WARM_UP_RUNS, Array, ModelFailedError, OperatorProfile

if TYPE_CHECKING:
    import ncnn

SOURCE = "ncnn layer by layer"
_AS_WRITTEN = 1
"""Type of an extraction that leaves a blob in the layout in which its layer wrote it."""


def profile_model(net: Net, path: Path, inputs: Mapping[str, Array], runs: int) -> OperatorProfile:
    """Runs the net layer by layer and joins the times to the tensors of the model at ``path``.

    Raises:
        ModelFailedError: ncnn fails, or computes something else than ONNX Runtime.
    """
    model, _ = load_named(path)
    graph, feeds = layer_graph(net), net.feeds(inputs)
    times = _times_ms(net, feeds, graph.layers, runs)
    finder = TensorFinder(TensorGraph(model.graph), tensor_values(model, inputs), net.signature.outputs)
    extractor = net.extractor(feeds)
    nodes = executed_nodes(graph, times, finder, lambda blob: np.array(extract(extractor, blob).numpy(batch_index=0)))
    shapes = tensor_shapes(model, {name: array.shape for name, array in inputs.items()})
    return OperatorProfile(SOURCE, with_shapes(join_rows(nodes), shapes))


def executed_nodes(
    graph: LayerGraph, times: Sequence[float], finder: TensorFinder, value: Callable[[int], Array]
) -> list[ExecutedNode]:
    """The layers with their times, inputs and the tensors of the user's model that they make.

    A layer that makes none works for the next one that makes some.

    Args:
        graph: the net's.
        times: milliseconds of each layer.
        finder: of the user's model.
        value: of a blob.

    Raises:
        ModelFailedError: an output has other values than in the user's model.
    """
    nodes: list[ExecutedNode] = []
    made_by: dict[int, int | str] = dict(graph.inputs)
    known: dict[int, frozenset[str]] = {blob: frozenset((name,)) for blob, name in graph.inputs.items()}
    for layer, ms in zip(graph.layers, times, strict=True):
        sources = tuple(made_by[blob] for blob in layer.inputs if blob in made_by)
        if not sources:
            continue  # a constant
        reads = frozenset[str]().union(*(known[blob] for blob in layer.inputs if blob in known))
        found = {blob: _tensor(blob, graph, finder, value, reads) for blob in layer.outputs}
        made_by.update(dict.fromkeys(found, len(nodes)))
        known.update((blob, frozenset((name,)) if name else reads) for blob, name in found.items())
        nodes.append(ExecutedNode(layer.kind, ms, sources, tuple(name for name in found.values() if name)))
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
            if isinstance(source, int) and not nodes[source].outputs:
                nodes[source] = replace(nodes[source], outputs=nodes[index].outputs)
    return nodes


def _times_ms(net: Net, feeds: Feeds, layers: Sequence[Layer], runs: int) -> list[float]:
    """Milliseconds of each layer, over the runs."""
    import ncnn

    # What comes from the net's own allocator would be copied at every extraction.
    allocator = ncnn.PoolAllocator()
    passes = [pass_ms(net.extractor(feeds), allocator, layers) for _ in range(PROFILE_WARM_UP_RUNS + runs)]
    return [interquartile_mean(times) for times in zip(*passes[PROFILE_WARM_UP_RUNS:], strict=True)]


def pass_ms(extractor: ncnn.Extractor, allocator: ncnn.PoolAllocator, layers: Sequence[Layer]) -> list[float]:
    """Milliseconds of each layer in one run.

    The second extraction, which finds the blob computed, costs what the call itself costs. No blob is held, so that
    layers may work in place as they do in a usual run.
    """
    extractor.set_blob_allocator(allocator)
    times = []
    for layer in layers:
        start = time.perf_counter_ns()
        extract(extractor, layer.outputs[0], _AS_WRITTEN)
        computed = time.perf_counter_ns()
        extract(extractor, layer.outputs[0], _AS_WRITTEN)
        end = time.perf_counter_ns()
        times.append(max(0.0, (computed - start) - (end - computed)) / 1e6)
    return times
