"""The fusions that every runtime performs, after which one operator is one kernel.

Views (Reshape, Flatten, ...) and pairs of transpositions that cancel cost nothing and are removed; activations, layer
normalisation and linear layers written out as several nodes become one; batch normalisation and activation go into the
convolution before them. What only some runtimes fuse (residual addition) is handled where operator times are joined
(``latency.kernel_times``).
"""

from __future__ import annotations

from math import prod

import numpy as np

from latency.operators.builders import ACTIVATION_KINDS
from latency.operators.nodes import Node, NodeGraph
from latency.operators.patterns import PATTERNS
from latency.operators.rewriting import rewrite

_VIEWS = frozenset({"Identity", "Dropout", "Reshape", "Flatten", "Squeeze", "Unsqueeze"})
_CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})
ACTIVATIONS = {kind: name for name, kind in ACTIVATION_KINDS.items()}


def fuse(graph: NodeGraph) -> None:
    """Fuses in place."""
    remove_views(graph)
    _remove_transpositions(graph)
    for find in PATTERNS:
        rewrite(graph, find)
    for node in graph.nodes:
        _name_global_pool(node, graph)
    for kinds in (frozenset({"BatchNormalization"}), frozenset(ACTIVATIONS)):
        _absorb(graph, kinds)
    _absorb_padding(graph)


def remove_views(graph: NodeGraph) -> None:
    """Removes nodes that move no data: their readers read the source, with the view's shape."""
    views = [node for node in graph.nodes if node.kind in _VIEWS and not node.domain and node.inputs]
    _bypass(graph, views)


def _remove_transpositions(graph: NodeGraph) -> None:
    """Removes pairs that cancel, as converters from frameworks with channels last write them around convolutions."""
    producers = graph.producers()
    inverses: list[Node] = []
    for node in graph.nodes:
        before = producers.get(node.input) if node.kind == "Transpose" and node.inputs else None
        if before is None or any(before is each for each in inverses):
            continue
        if _cancel(before, node, graph):
            inverses.append(node)
            node.inputs, node.input_shapes = dict(before.inputs), dict(before.input_shapes)
    _bypass(graph, inverses)
    uses = graph.uses()
    graph.remove([node for node in graph.nodes if node.kind == "Transpose" and not uses[node.output]])


def _cancel(first: Node, second: Node, graph: NodeGraph) -> bool:
    """Whether the second transposition undoes the first, with no view between them."""
    if first.kind != "Transpose" or not first.inputs or second.input_shape != graph.shapes[first.output]:
        return False
    there, back = (node.attributes.get("perm") for node in (first, second))
    if not (isinstance(there, tuple) and isinstance(back, tuple)):
        return False
    return [there[place] for place in back] == list(range(len(there)))


def _bypass(graph: NodeGraph, nodes: list[Node]) -> None:
    """Removes nodes; their readers read the nodes' input instead."""
    source_of: dict[str, str] = {}
    producers = graph.producers()
    for node in nodes:
        source = source_of.get(node.input, node.input)
        source_of[node.output] = source
        if source in producers:
            producers[source].inner.append(node.output)
    graph.remove(nodes)
    graph.outputs = [source_of.get(name, name) for name in graph.outputs]
    for node in graph.nodes:
        node.inputs = {slot: source_of.get(name, name) for slot, name in node.inputs.items()}


def _name_global_pool(node: Node, graph: NodeGraph) -> None:
    """Gives means over height and width one name."""
    if node.kind not in ("ReduceMean", "AveragePool") or len(node.inputs) != 1 or len(node.input_shape) < 3:
        return
    spatial = node.input_shape[2:]
    if node.kind == "ReduceMean":
        matches = node.attributes.get("axes") == tuple(range(2, len(node.input_shape)))
    else:
        matches = node.attributes.get("kernel_shape") == spatial and prod(graph.shapes[node.output][2:]) == 1
    if matches:
        node.kind, node.attributes, node.constants = "GlobalAveragePool", {}, {}


def _absorb(graph: NodeGraph, kinds: frozenset[str]) -> None:
    """Merges the only reader of a convolution into it, if it is of these kinds."""
    uses = graph.uses()
    readers = {name: node for node in graph.nodes for name in node.inputs.values()}
    removed: list[Node] = []
    for node in graph.nodes:
        reader = readers.get(node.output)
        if not is_plain_convolution(node) or node.activation != "none" or uses[node.output] != 1 or reader is None:
            continue
        if reader.kind not in kinds or reader.domain or list(reader.inputs) != [0]:
            continue
        if reader.kind == "BatchNormalization" and (node.weights_are_inputs or reader.weights_are_inputs):
            continue
        node.inner = [*node.inner, node.output, *reader.inner]
        node.outputs = reader.outputs
        node.activation = ACTIVATIONS.get(reader.kind, "none")
        node.slopes = reader.constants[1].size if reader.kind == "PRelu" else 0
        removed.append(reader)
    graph.remove(removed)


def is_plain_convolution(node: Node) -> bool:
    """Whether it is a convolution whose weights are constant."""
    return node.kind in _CONVOLUTIONS and not node.domain and list(node.inputs) == [0]


def _absorb_padding(graph: NodeGraph) -> None:
    """A Pad with zeros in front of a convolution becomes the convolution's own padding."""
    uses, producers = graph.uses(), graph.producers()
    removed: list[Node] = []
    for node in graph.nodes:
        pad = producers.get(node.input) if node.kind == "Conv" and is_plain_convolution(node) else None
        if pad is None or not _pads_space_with_zeros(pad) or uses[pad.output] != 1:
            continue
        node.inner = [*pad.inner, pad.output, *node.inner]
        node.inputs, node.input_shapes = dict(pad.inputs), dict(pad.input_shapes)
        removed.append(pad)
    graph.remove(removed)


def _pads_space_with_zeros(pad: Node) -> bool:
    if pad.kind != "Pad" or pad.attributes.get("mode", "constant") != "constant" or list(pad.inputs) != [0]:
        return False
    if 3 in pad.constants or (2 in pad.constants and np.any(pad.constants[2] != 0)) or pad.attributes.get("value"):
        return False
    given = pad.constants[1].tolist() if 1 in pad.constants else pad.attributes.get("pads", ())
    pads = list(given) if isinstance(given, list | tuple) else []
    rank = len(pad.input_shape)
    return len(pads) == 2 * rank and min(pads) >= 0 and not any(pads[:2] + pads[rank : rank + 2])
