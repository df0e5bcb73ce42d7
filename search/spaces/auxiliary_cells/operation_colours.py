"""Which operations of a cell are alike: colour refinement (Weisfeiler and Leman, 1968)."""

from __future__ import annotations

from segmentation.auxiliary_cells.cell_graph import CellGraph
from segmentation.auxiliary_cells.genotype import ENTRIES

_LONGEST_CHAIN = ENTRIES + 1
"""Of operations; as many rounds tell all apart that can be."""


def operation_colours(graph: CellGraph) -> dict[int, int]:
    """Numbers, by node, that tell operations apart by what they compute and by what reads them, not by their nodes."""
    colours = dict.fromkeys(graph.reads, 0) | {0: -1}
    for _ in range(_LONGEST_CHAIN):
        looks = {node: _look(graph, colours, node) for node in graph.reads}
        rank = {look: number for number, look in enumerate(sorted(set(looks.values())))}
        colours = {node: rank[look] for node, look in looks.items()} | {0: -1}
    return colours


def _look(graph: CellGraph, colours: dict[int, int], node: int) -> tuple[object, ...]:
    return (
        colours[node],
        graph.operations[node],
        graph.output.count(node),
        tuple(sorted(colours[term] for term in graph.reads[node])),
        tuple(sorted((colours[other], terms.count(node)) for other, terms in graph.reads.items() if node in terms)),
    )
