"""An operator between the operators that surround it in its net.

Runtimes choose layouts by what comes before and after: a pooling between convolutions reads blocks of channels; alone
it reads planes and may take five times as long. They also fuse operators with their neighbours.
"""

from __future__ import annotations

from latency.operators.operator import OperatorGraph, Shape


def neighbourhood(graph: OperatorGraph, position: int) -> OperatorGraph | None:
    """The operator with those that it reads and the first one that reads it, as a graph of its own.

    Tensors from elsewhere become inputs. None where it lacks either, or where the whole graph is no larger.
    """
    producers = {source for source in graph.inputs[position] if source >= 0}
    reader = next((consumer for producer, consumer in graph.edges if producer == position), None)
    if not producers or reader is None:
        return None
    kept = sorted({*producers, position, reader})
    if len(kept) == len(graph.operators):
        return None
    place = {old: new for new, old in enumerate(kept)}
    input_shapes: list[Shape] = []
    inputs = []
    for old in kept:
        sources = []
        for source, shape in zip(graph.inputs[old], graph.operators[old].input_shapes, strict=True):
            if source not in place:
                input_shapes.append(shape)
            sources.append(place.get(source, -len(input_shapes)))
        inputs.append(tuple(sources))
    return OperatorGraph(tuple(graph.operators[old] for old in kept), tuple(inputs), tuple(input_shapes))


def inner(graph: OperatorGraph) -> frozenset[int]:
    """Positions of the operators that read another one and are read by another one."""
    producers, consumers = ({edge[end] for edge in graph.edges} for end in (0, 1))
    return frozenset(producers & consumers)
