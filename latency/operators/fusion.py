"""The fusions that every runtime makes, so that one operator is one kernel.

Views (Reshape, Flatten, ...) cost nothing and vanish; activations written out as several nodes become one; batch
normalisation and activation go into the convolution before them. What only some runtimes fuse (residual addition) is
left to the join with the runtime's own profile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod

import numpy as np

from latency.operators.builders import ACTIVATION_KINDS
from latency.operators.nodes import Node, NodeGraph

_VIEWS = frozenset({"Identity", "Dropout", "Reshape", "Flatten", "Squeeze", "Unsqueeze"})
_CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})
Match = tuple[str, str, list[Node]]
"""Kind and input of the node that stands for a group, and the group without its last node."""
Pattern = Callable[[Node, dict[str, Node]], Match | None]
ACTIVATIONS = {kind: name for name, kind in ACTIVATION_KINDS.items()}


def fuse(graph: NodeGraph) -> None:
    """Fuses in place."""
    remove_views(graph)
    for find in (_hard_sigmoid, _hard_swish_divided_last, _gated):
        _rewrite(graph, find)
    for node in graph.nodes:
        _name_global_pool(node, graph)
    for kinds in (frozenset({"BatchNormalization"}), frozenset(ACTIVATIONS)):
        _absorb(graph, kinds)
    _absorb_padding(graph)


def remove_views(graph: NodeGraph) -> None:
    """Takes out what moves no data: its readers read the source, under the view's shape."""
    source_of: dict[str, str] = {}
    producers = graph.producers()
    views = [node for node in graph.nodes if node.kind in _VIEWS and not node.domain and node.inputs]
    for view in views:
        source = source_of.get(view.input, view.input)
        source_of[view.output] = source
        if source in producers:
            producers[source].inner.append(view.output)
    graph.remove(views)
    graph.outputs = [source_of.get(name, name) for name in graph.outputs]
    for node in graph.nodes:
        node.inputs = {slot: source_of.get(name, name) for slot, name in node.inputs.items()}


def _rewrite(graph: NodeGraph, find: Pattern) -> None:
    """Turns the last node of each group that ``find`` recognises into the one node that stands for the group."""
    producers, uses = graph.producers(), graph.uses()
    gone: list[Node] = []
    for node in graph.nodes:
        found = find(node, producers)
        if found is None or any(uses[part.output] != 1 for part in found[2]):
            continue
        kind, source, inner = found
        gone.extend(inner)
        node.position = min(part.position for part in (node, *inner))
        names = [name for part in sorted(inner, key=lambda part: part.position) for name in (*part.inner, part.output)]
        node.inner = [*names, *node.inner]
        node.kind, node.inputs, node.constants, node.attributes = kind, {0: source}, {}, {}
        node.input_shapes = {0: graph.shapes[node.output]}
    graph.remove(gone)
    graph.nodes.sort(key=lambda node: node.position)


def _hard_sigmoid(node: Node, producers: dict[str, Node]) -> Match | None:
    """relu6(x + 3) / 6."""
    clip = producers.get(node.input) if _divides_by_six(node) else None
    shifted = _clipped_shift(clip, producers)
    return ("HardSigmoid", shifted.input, [shifted, clip]) if clip and shifted else None


def _hard_swish_divided_last(node: Node, producers: dict[str, Node]) -> Match | None:
    """x * relu6(x + 3) / 6, the division at the end."""
    product = producers.get(node.input) if _divides_by_six(node) else None
    if product is None or product.kind != "Mul" or len(product.inputs) != 2:
        return None
    for source, other in _both_ways(product):
        clip = producers.get(other)
        shifted = _clipped_shift(clip, producers)
        if clip and shifted and shifted.input == source:
            return "HardSwish", source, [shifted, clip, product]
    return None


def _gated(node: Node, producers: dict[str, Node]) -> Match | None:
    """x * HardSigmoid(x) and x * Sigmoid(x)."""
    if node.kind != "Mul" or len(node.inputs) != 2:
        return None
    for source, other in _both_ways(node):
        gate = producers.get(other)
        if gate and gate.kind in ("HardSigmoid", "Sigmoid") and gate.input == source:
            return ("HardSwish" if gate.kind == "HardSigmoid" else "Silu"), source, [gate]
    return None


def _both_ways(node: Node) -> Iterator[tuple[str, str]]:
    first, second = node.inputs.values()
    yield first, second
    yield second, first


def _divides_by_six(node: Node) -> bool:
    if len(node.inputs) != 1 or len(node.constants) != 1:
        return False
    divisor = _scalar(node)
    return (
        divisor is not None
        and abs((divisor if node.kind == "Div" else 1 / divisor if divisor else 0) - 6) < 1e-3
        and (node.kind == "Mul" or (node.kind == "Div" and 1 in node.constants))
    )


def _clipped_shift(clip: Node | None, producers: dict[str, Node]) -> Node | None:
    """The x + 3 in relu6(x + 3)."""
    if clip is None or clip.kind != "Clip" or _limits(clip) != (0.0, 6.0):
        return None
    shifted = producers.get(clip.input)
    return shifted if shifted and shifted.kind == "Add" and _scalar(shifted) == 3.0 else None


def _limits(clip: Node) -> tuple[float | None, float | None]:
    """Limits of a Clip: inputs since opset 11, attributes before."""
    given = [clip.constants.get(slot) for slot in (1, 2)]
    named = [clip.attributes.get(name) for name in ("min", "max")]
    low, high = (
        float(array.reshape(-1)[0]) if array is not None else float(value) if isinstance(value, float) else None
        for array, value in zip(given, named, strict=True)
    )
    return low, high


def _scalar(node: Node) -> float | None:
    """The only constant of a binary node, if it is one number."""
    arrays = list(node.constants.values())
    return float(arrays[0].reshape(-1)[0]) if len(arrays) == 1 and arrays[0].size == 1 else None


def _name_global_pool(node: Node, graph: NodeGraph) -> None:
    """Means over height and width go by one name."""
    if node.kind not in ("ReduceMean", "AveragePool") or len(node.inputs) != 1 or len(node.input_shape) < 3:
        return
    spatial = node.input_shape[2:]
    if node.kind == "ReduceMean":
        axes = node.constants[1].reshape(-1).tolist() if 1 in node.constants else node.attributes.get("axes", ())
        rank = len(node.input_shape)
        matches = isinstance(axes, list | tuple) and {int(axis) % rank for axis in axes} == set(range(2, rank))
    else:
        matches = node.attributes.get("kernel_shape") == spatial and prod(graph.shapes[node.output][2:]) == 1
    if matches:
        node.kind, node.attributes, node.constants = "GlobalAveragePool", {}, {}


def _absorb(graph: NodeGraph, kinds: frozenset[str]) -> None:
    """Merges the sole reader of a convolution into it, where it is of these kinds."""
    uses = graph.uses()
    readers = {name: node for node in graph.nodes for name in node.inputs.values()}
    gone: list[Node] = []
    for node in graph.nodes:
        reader = readers.get(node.output)
        if not is_plain_convolution(node) or node.activation != "none" or uses[node.output] != 1 or reader is None:
            continue
        if reader.kind not in kinds or reader.domain or list(reader.inputs) != [0]:
            continue
        node.inner = [*node.inner, node.output, *reader.inner]
        node.outputs = reader.outputs
        node.activation = ACTIVATIONS.get(reader.kind, "none")
        node.slopes = reader.constants[1].size if reader.kind == "PRelu" else 0
        gone.append(reader)
    graph.remove(gone)


def is_plain_convolution(node: Node) -> bool:
    """Whether it is a convolution whose weights are constant."""
    return node.kind in _CONVOLUTIONS and not node.domain and list(node.inputs) == [0]


def _absorb_padding(graph: NodeGraph) -> None:
    """A Pad with zeros in front of a convolution becomes the convolution's own padding."""
    uses, producers = graph.uses(), graph.producers()
    gone: list[Node] = []
    for node in graph.nodes:
        pad = producers.get(node.input) if node.kind == "Conv" and is_plain_convolution(node) else None
        if pad is None or not _pads_space_with_zeros(pad) or uses[pad.output] != 1:
            continue
        node.inner = [*pad.inner, pad.output, *node.inner]
        node.inputs, node.input_shapes = dict(pad.inputs), dict(pad.input_shapes)
        gone.append(pad)
    graph.remove(gone)


def _pads_space_with_zeros(pad: Node) -> bool:
    if pad.kind != "Pad" or pad.attributes.get("mode", "constant") != "constant" or list(pad.inputs) != [0]:
        return False
    if 3 in pad.constants or (2 in pad.constants and np.any(pad.constants[2] != 0)) or pad.attributes.get("value"):
        return False
    given = pad.constants[1].tolist() if 1 in pad.constants else pad.attributes.get("pads", ())
    pads = list(given) if isinstance(given, list | tuple) else []
    rank = len(pad.input_shape)
    return len(pads) == 2 * rank and min(pads) >= 0 and not any(pads[:2] + pads[rank : rank + 2])
