"""The nets of the ``auxiliary-cells`` space: an encoder, and a decoder that merges its features through cells."""

from __future__ import annotations

from collections.abc import Sequence

from segmentation.auxiliary_cells.cell_graph import CellGraph, cell_graph
from segmentation.auxiliary_cells.encoder import STRIDES, encoder_features
from segmentation.auxiliary_cells.genotype import TAPS, Genotype
from segmentation.auxiliary_cells.operations import apply
from segmentation.networks.plan import Plan
from segmentation.networks.plan_builder import PlanBuilder

CHANNELS = 48
"""Of the published decoders (``agg``)."""


def plan(genotype: Genotype, classes: int = 2, *, encoder: str = "full", channels: int = CHANNELS) -> Plan:
    """The net's layers; logits: batch x classes x height x width of the input, both multiples of 32.

    The cell depends on its input.

    Weights without effect are ``Plan.unread``: of operations that the cell's output does not depend on, and of the part
    of the encoder behind the last feature that is read. The published ReLU on the concatenated outputs is left out:
    they are sums of ReLUs. The logits are enlarged to the input's size, so that the net is trained on full-size masks.
    """
    builder = PlanBuilder()
    features = encoder_features(builder, encoder)
    pool = [
        builder.conv(f"decoder.tap{number}", feature, channels, activation="relu")
        for number, feature in enumerate(features)
    ]
    strides = list(STRIDES)
    graph = cell_graph(genotype.cell)
    for number, connection in enumerate(genotype.connections, start=1):
        pool.append(_merged(builder, f"decoder.connection{number}", [(pool[i], strides[i]) for i in connection], graph))
        strides.append(min(strides[i] for i in connection))
    read = {index for connection in genotype.connections for index in connection}
    outputs = [(pool[index], strides[index]) for index in range(TAPS, len(pool)) if index not in read]
    x = builder.conv("decoder.collect", _collected(builder, outputs), channels, activation="relu")
    x = builder.conv("decoder.classes", x, classes, 3, normalise=False)
    builder.enlarge("decoder.logits", x, min(stride for _, stride in outputs))
    return builder.pruned_plan(encoder=features[max(index for index in read if index < TAPS)])


def _merged(builder: PlanBuilder, name: str, sources: Sequence[tuple[str, int]], graph: CellGraph) -> str:
    """The sum of two cells, of which the one with the smaller map is enlarged; ``sources`` are layers and strides."""
    finest = min(stride for _, stride in sources)
    branches = []
    for side, (source, stride) in zip(("first", "second"), sources, strict=True):
        x = _cell(builder, f"{name}.{side}", source, graph)
        x = builder.conv(f"{name}.{side}.project", x, builder.channels[source], activation="relu")
        branches.append(_enlarged(builder, f"{name}.{side}.enlarge", x, stride // finest))
    return builder.sum(name, *branches)


def _collected(builder: PlanBuilder, outputs: Sequence[tuple[str, int]]) -> str:
    """All outputs of connections that no other one reads, side by side at the largest size."""
    finest = min(stride for _, stride in outputs)
    parts = [_enlarged(builder, f"{output}.enlarge", output, stride // finest) for output, stride in outputs]
    return parts[0] if len(parts) == 1 else builder.concat("decoder.concat", *parts)


def _enlarged(builder: PlanBuilder, name: str, x: str, factor: int) -> str:
    return x if factor == 1 else builder.enlarge(name, x, factor)


def _cell(builder: PlanBuilder, name: str, source: str, graph: CellGraph) -> str:
    made = {0: source}
    for node, terms in graph.reads.items():
        x = _sum(builder, [made[term] for term in terms])
        made[node] = apply(builder, f"{name}.node{node}", x, graph.operations[node])
    for number, operation in enumerate(graph.unread, start=1):
        apply(builder, f"{name}.unread{number}", source, operation)
    return _sum(builder, [made[term] for term in graph.output])


def _sum(builder: PlanBuilder, terms: Sequence[str]) -> str:
    """The layer with a sum; what has no weights and reads the same is one layer, as exporters make it one."""
    total = terms[0]
    for term in terms[1:]:
        name = f"{total}+{term}"
        total = name if name in builder.channels else builder.sum(name, total, term)
    return total
