"""Layer normalisation as it was written before opset 17 had a node for it."""

from __future__ import annotations

from latency.operators.nodes import Node
from latency.operators.rewriting import Match, both_ways, scalar


def layer_normalisation(node: Node, producers: dict[str, Node]) -> Match | None:
    """(x - mean) / sqrt(mean((x - mean)^2) + eps) * scale + shift over the last axes (Ba et al. 2016, section 3)."""
    scaled = _with_weights(node, "Add", producers)
    divided = _with_weights(scaled, "Mul", producers)
    if node.kind != "Add" or not (scaled and divided) or scaled.kind != "Mul" or divided.kind != "Div":
        return None
    names = list(divided.inputs.values())
    centred = producers.get(names[0])
    root = producers.get(names[-1])
    mean = _mean_taken_off(centred, producers)
    spread = _spread(root, names[0], producers)
    if not (centred and root and mean and spread) or _axes(mean) != _axes(spread[0]):
        return None
    constants = {1: next(iter(scaled.constants.values())), 2: next(iter(node.constants.values()))}
    inner = [mean, centred, *spread, root, divided, scaled]
    return Match("LayerNormalization", mean.input, inner, constants, {"axis": _axes(mean)[0]})


def _with_weights(node: Node | None, kind: str, producers: dict[str, Node]) -> Node | None:
    """What feeds a node that adds, or multiplies by, constant weights."""
    fits = node is not None and node.kind == kind and len(node.inputs) == len(node.constants) == 1
    return producers.get(node.input) if node and fits else None


def _mean_taken_off(centred: Node | None, producers: dict[str, Node]) -> Node | None:
    """The mean in x - mean(x), over the last axes."""
    if centred is None or centred.kind != "Sub" or len(centred.inputs) != 2:
        return None
    source, other = centred.inputs.values()
    mean = producers.get(other)
    return mean if mean and mean.kind == "ReduceMean" and mean.input == source and _axes(mean) else None


def _spread(root: Node | None, centred: str, producers: dict[str, Node]) -> list[Node] | None:
    """The mean of the squares, the squares, and the sum with epsilon below a square root."""
    shifted = producers.get(root.input) if root and root.kind == "Sqrt" else None
    mean = producers.get(shifted.input) if shifted and shifted.kind == "Add" and scalar(shifted) is not None else None
    squares = producers.get(mean.input) if mean and mean.kind == "ReduceMean" else None
    if not (shifted and mean and squares) or not _squares(squares, centred):
        return None
    return [mean, squares, shifted]


def _squares(node: Node, source: str) -> bool:
    if node.kind == "Mul":
        return any(pair == (source, source) for pair in both_ways(node))
    return node.kind == "Pow" and node.input == source and scalar(node) == 2.0


def _axes(mean: Node) -> tuple[int, ...]:
    """The axes of a mean that keeps its sides, if they are the last ones; else none."""
    axes, rank = mean.attributes.get("axes"), len(mean.input_shape)
    last = isinstance(axes, tuple) and axes and axes == tuple(range(rank - len(axes), rank))
    return axes if isinstance(axes, tuple) and last and mean.attributes.get("keepdims", 1) else ()
