"""The canonical genotype: one for all genotypes of equal nets."""

from __future__ import annotations

from itertools import permutations

from search.spaces.auxiliary_cells.canonical_cell import canonical_cell
from segmentation.auxiliary_cells.genotype import TAPS, Connection, Genotype, pool_before


def canonical(genotype: Genotype, *, pruned: bool = False) -> Genotype:
    """The canonical genotype of the same net; ``pruned`` and cells that yield zeros as of ``canonical_cell``."""
    return Genotype(canonical_cell(genotype.cell, pruned=pruned), canonical_connections(genotype.connections))


def canonical_connections(connections: tuple[Connection, ...]) -> tuple[Connection, ...]:
    """Connections may stand in any order in which each follows those that it reads, and so may both their inputs."""
    orders = (_reordered(connections, order) for order in permutations(range(len(connections))))
    return min(
        found for found in orders if all(last < pool_before(number) for number, (_, last) in enumerate(found, start=1))
    )


def _reordered(connections: tuple[Connection, ...], order: tuple[int, ...]) -> tuple[Connection, ...]:
    """The connections in another order, and in each the smaller input first."""
    names = {TAPS + old: TAPS + new for new, old in enumerate(order)}
    pairs = [sorted(names.get(index, index) for index in connections[old]) for old in order]
    return tuple((first, last) for first, last in pairs)
