"""Replaces groups of nodes that are one kernel by one node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from latency.operators.nodes import Constants, Node, NodeGraph
from latency.operators.operator import AttributeValue, Shape


@dataclass(frozen=True, slots=True)
class Match:
    """The node that replaces a group of nodes."""

    kind: str
    source: str
    """The tensor that the group reads."""
    inner: list[Node]
    """The group without its last node."""
    constants: Constants = field(default_factory=dict)
    attributes: dict[str, AttributeValue] = field(default_factory=dict)
    input_shape: Shape | None = None
    """None where it is that of the output."""


Pattern = Callable[[Node, dict[str, Node]], Match | None]
"""From a node and the producers of all tensors to the group that ends in this node."""


def rewrite(graph: NodeGraph, find: Pattern) -> None:
    """Replaces each group of nodes that ``find`` recognises: its last node becomes the one that ``find`` describes.

    A group is kept where another node reads one of its inner tensors.
    """
    producers, uses = graph.producers(), graph.uses()
    removed: list[Node] = []
    for node in graph.nodes:
        found = find(node, producers)
        if found is not None and _closed(node, found.inner, uses):
            removed.extend(found.inner)
            _replace(graph, node, found)
    graph.remove(removed)
    graph.nodes.sort(key=lambda node: node.position)


def _closed(last: Node, inner: list[Node], uses: Counter[str]) -> bool:
    inside = Counter(name for part in (last, *inner) for name in part.inputs.values())
    return all(inside[name] == uses[name] for part in inner for name in part.outputs)


def _replace(graph: NodeGraph, node: Node, found: Match) -> None:
    node.position = min(part.position for part in (node, *found.inner))
    names = [
        name for part in sorted(found.inner, key=lambda part: part.position) for name in (*part.inner, part.output)
    ]
    node.inner = [*names, *node.inner]
    node.kind, node.inputs = found.kind, {0: found.source}
    node.constants, node.attributes = dict(found.constants), dict(found.attributes)
    node.input_shapes = {0: found.input_shape or graph.shapes[node.output]}


def scalar(node: Node) -> float | None:
    """The only constant of a binary node, if it is one number."""
    arrays = list(node.constants.values())
    return float(arrays[0].reshape(-1)[0]) if len(arrays) == 1 and arrays[0].size == 1 else None


def both_orders(node: Node) -> Iterator[tuple[str, str]]:
    """The two activations of a binary node in both orders; nothing where it does not have two."""
    if len(node.inputs) == 2:
        first, second = node.inputs.values()
        yield first, second
        yield second, first
