"""An operator among the operators that surround it in its net.

Runtimes choose layouts by what comes before and after: a pooling between convolutions reads blocks of channels; alone
it reads planes and may take several times as long. They also fuse operators with their neighbours. Convolutions and
matrix products bring layouts of their own, so that what lies beyond them does not matter.
"""

from __future__ import annotations

from latency.operators.operator import OperatorGraph, Shape

_LAYOUT_KINDS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
_REACH = 12
"""Operators in either direction after which it goes no further."""
_MOST_OPERATORS = 32
_MOST_PARAMETERS = 2**26
"""Many neighbourhoods share a worker; larger ones are left out."""


def neighbourhood(graph: OperatorGraph, position: int) -> OperatorGraph | None:
    """The operator and those around it, back and forth to the next ones with weights and a layout of their own.

    Every operator that it reads, directly or not, is part of it, but only the first one that reads it, and so on.
    Tensors from elsewhere become inputs. None where the operator is not ``inner`` there, where the whole graph is no
    larger, and where that is too large.
    """
    kept = sorted({position, *_before(graph, position), *_after(graph, position)})
    if len(kept) == len(graph.operators) or len(kept) > _MOST_OPERATORS:
        return None
    part = _part(graph, kept)
    return part if kept.index(position) in inner(part) and part.parameters <= _MOST_PARAMETERS else None


def inner(graph: OperatorGraph) -> frozenset[int]:
    """Positions of the operators that read nothing but others and are read by others."""
    read = {producer for producer, _ in graph.edges}
    return frozenset(
        place for place, sources in enumerate(graph.inputs) if place in read and sources and min(sources) >= 0
    )


def _before(graph: OperatorGraph, position: int) -> set[int]:
    found: set[int] = set()
    waiting = [position]
    while waiting and len(found) < _REACH:
        sources = {source for source in graph.inputs[waiting.pop(0)] if source >= 0} - found
        found |= sources
        waiting += sorted((source for source in sources if not _has_layout(graph, source)), reverse=True)
    return found


def _after(graph: OperatorGraph, position: int) -> set[int]:
    first_reader = dict(reversed(graph.edges))
    found: set[int] = set()
    while position in first_reader and len(found) < _REACH:
        position = first_reader[position]
        found.add(position)
        if _has_layout(graph, position):
            break
    return found


def _has_layout(graph: OperatorGraph, position: int) -> bool:
    operator = graph.operators[position]
    return operator.kind in _LAYOUT_KINDS and operator.parameters > 0


def _part(graph: OperatorGraph, kept: list[int]) -> OperatorGraph:
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
