"""What a cell computes: the operations that its output depends on, and what each one reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from segmentation.auxiliary_cells.genotype import Cell
from segmentation.auxiliary_cells.operations import SKIP, ZERO

Terms = tuple[int, ...]
"""A sum: the nodes that are added, in order, repeated where one is added twice. Node 0 is the cell's input."""


@dataclass(frozen=True, slots=True)
class CellGraph:
    """A cell without its skips, zeros and sums of sums."""

    reads: dict[int, Terms]
    """What each operation reads, by its node, in order of execution."""
    operations: dict[int, int]
    """Number of the operation, by its node."""
    output: Terms
    """Empty where the cell yields zeros whatever it reads."""
    unread: tuple[int, ...]
    """Numbers of operations with weights on which the output does not depend, in order."""


def cell_graph(cell: Cell) -> CellGraph:
    """The graph of a cell.

    The output is the sum of node 1 and of the sums of all entries, less those that a later entry reads. An operation
    on zeros counts as zeros; as published it adds a constant, which its batch normalisation learns.
    """
    values: list[Terms] = [(0,)]
    operations: dict[int, int] = {}
    reads: dict[int, Terms] = {}
    unread: list[int] = []

    def add(operation: int, source: Terms) -> None:
        node = len(values)
        weighted = operation not in (SKIP, ZERO)
        if weighted and source:
            operations[node], reads[node] = operation, source
        elif weighted:
            unread.append(operation)
        values.append(source if operation == SKIP else (node,) if weighted and source else ())

    add(cell.first, values[0])
    collected = {1}
    for first, second, *pair in cell.entries:
        for node, operation in zip((first, second), pair, strict=True):
            add(operation, values[node])
        values.append(tuple(sorted(values[-2] + values[-1])))
        collected = collected - {first, second} | {len(values) - 1}
    output = tuple(sorted(term for node in collected for term in values[node]))
    live = _reached(output, reads)
    unread += [operation for node, operation in operations.items() if node not in live]
    return CellGraph(
        {node: terms for node, terms in reads.items() if node in live},
        {node: operation for node, operation in operations.items() if node in live},
        output,
        tuple(sorted(unread)),
    )


def _reached(output: Iterable[int], reads: dict[int, Terms]) -> set[int]:
    found: set[int] = set()
    waiting = list(output)
    while waiting:
        node = waiting.pop()
        if node in reads and node not in found:
            found.add(node)
            waiting += reads[node]
    return found
