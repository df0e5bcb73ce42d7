"""Genotypes of cheaper nets: the moves of a repair."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from search.spaces.auxiliary_cells.canonical import canonical_connections
from search.spaces.auxiliary_cells.canonical_cell import canonical_cell
from segmentation.auxiliary_cells.cell_graph import cell_graph
from segmentation.auxiliary_cells.genotype import TAPS, Cell, Connection, Genotype

_BY_COST = ((10,), (9,), (4,), (0,), (2, 7), (3, 8), (1, 5, 6))
"""Operations that cost alike: none has more parameters or work than one behind it."""
_COST = {operation: cost for cost, alike in enumerate(_BY_COST) for operation in alike}
_SUMS = 10
"""The work of this many sums is that of one step in ``_BY_COST``."""


def cheaper_genotypes(genotype: Genotype) -> Iterator[Genotype]:
    """Canonical genotypes with a cheaper operation, a coarser input of a connection or fewer outputs.

    None of them has operations without effect.
    """
    for cell in _cheaper_cells(genotype.cell):
        yield Genotype(cell, genotype.connections)
    for connections in _cheaper_connections(genotype.connections):
        yield Genotype(canonical_cell(genotype.cell, pruned=True), connections)


@lru_cache(maxsize=1 << 14)
def _cheaper_cells(cell: Cell) -> tuple[Cell, ...]:
    cost = _cost_of_cell(cell)
    found = dict.fromkeys(canonical_cell(other, pruned=True) for other in _with_cheaper_operations(cell))
    return tuple(other for other in found if _cost_of_cell(other) < cost)


def _with_cheaper_operations(cell: Cell) -> Iterator[Cell]:
    for other in _cheaper_operations(cell.first):
        yield Cell(other, cell.entries)
    for place, (node1, node2, first, second) in enumerate(cell.entries):
        changed = [(node1, node2, other, second) for other in _cheaper_operations(first)]
        changed += [(node1, node2, first, other) for other in _cheaper_operations(second)]
        for entry in changed:
            yield Cell(cell.first, (*cell.entries[:place], entry, *cell.entries[place + 1 :]))


def _cheaper_operations(operation: int) -> tuple[int, ...]:
    cost = _COST[operation]
    return _BY_COST[cost - 1] if cost else ()


def _cost_of_cell(cell: Cell) -> int:
    """Goes down with every move."""
    graph = cell_graph(cell)
    sums = sum(len(terms) - 1 for terms in (graph.output, *graph.reads.values()))
    return sums + _SUMS * sum(_COST[operation] for operation in (*graph.operations.values(), *graph.unread))


@lru_cache(maxsize=1 << 14)
def _cheaper_connections(connections: tuple[Connection, ...]) -> tuple[tuple[Connection, ...], ...]:
    cost = _cost_of_connections(connections)
    found = dict.fromkeys(canonical_connections(other) for other in _with_cheaper_inputs(connections))
    return tuple(other for other in found if _cost_of_connections(other) < cost)


def _with_cheaper_inputs(connections: tuple[Connection, ...]) -> Iterator[tuple[Connection, ...]]:
    levels = _levels(connections)
    # A feature that no connection reads yet would need more of the encoder.
    deepest = max(index for pair in connections for index in pair if index < TAPS)
    for place, pair in enumerate(connections):
        for side, index in enumerate(pair):
            coarser = [index + 1] if index < deepest else []
            outputs = [other for other in range(TAPS, TAPS + place) if levels[other] >= levels[index]]
            for other in coarser + outputs:
                changed = (other, pair[1]) if side == 0 else (pair[0], other)
                yield (*connections[:place], changed, *connections[place + 1 :])


def _cost_of_connections(connections: tuple[Connection, ...]) -> int:
    """Goes down with every move."""
    levels = _levels(connections)
    inputs = [index for pair in connections for index in pair]
    outputs = set(range(TAPS, TAPS + len(connections))) - set(inputs)
    return len(outputs) + sum(TAPS - levels[index] for index in inputs)


def _levels(connections: tuple[Connection, ...]) -> list[int]:
    """How often each entry of the pool is halved more than the first one."""
    levels = list(range(TAPS))
    for pair in connections:
        levels.append(min(levels[index] for index in pair))
    return levels
