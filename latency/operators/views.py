"""Names of the tensors that a synthesized model has where an operator reads another shape than was written."""

from __future__ import annotations

from latency.operators.operator import OperatorGraph


def view_name(consumer: int, slot: int) -> str:
    """Of the tensor that an input of an operator reads."""
    return f"t{consumer}_view_{slot}"


def view_sources(graph: OperatorGraph) -> dict[str, int]:
    """By the names of all views that there could be: position of the operator behind it."""
    return {
        view_name(consumer, slot): source
        for consumer, sources in enumerate(graph.inputs)
        for slot, source in enumerate(sources)
        if source >= 0
    }
