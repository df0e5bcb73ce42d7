"""Joins the layers of a converted net, whose names are the converter's own, to the tensors of the user's model.

The tensors that layers make are found by their values (``devices.tensor_values``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from devices.operator_join import ExecutedNode
from devices.tensor_values import TensorFinder
from devices.worker.runtime import Array, ModelFailedError

_PACKING = "Packing"


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer that computes something. Blobs are positions; a copy for one of several readers is what was copied."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LayerGraph:
    """The layers of a net, and the names of its inputs and outputs in the user's model by blob."""

    layers: tuple[Layer, ...]
    inputs: Mapping[int, str]
    outputs: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class LayerTime:
    """Milliseconds of a layer."""

    own_ms: float
    packing_ms: float = 0.0
    """What it takes to bring the net's inputs into the layout in which layers hand on what they make."""


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
