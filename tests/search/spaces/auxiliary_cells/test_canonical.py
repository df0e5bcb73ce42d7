"""Genotypes of equal nets have one canonical form, others have another."""

from __future__ import annotations

import math
from collections import defaultdict
from random import Random

import pytest

from search.spaces.auxiliary_cells.canonical import canonical, canonical_connections
from search.spaces.auxiliary_cells.canonical_cell import IDENTITY, canonical_cell
from segmentation.auxiliary_cells.cell_graph import cell_graph
from segmentation.auxiliary_cells.genotype import Cell, Connection, Entry, Genotype
from segmentation.auxiliary_cells.operations import SKIP, ZERO

NOTHING = (0, 0, ZERO, ZERO)


def random_cell(rng: Random, operations: list[int]) -> Cell:
    """A cell in which each of the operations occurs once, all others being skips and zeros."""
    chosen = operations + [rng.choice((SKIP, ZERO)) for _ in range(7 - len(operations))]
    rng.shuffle(chosen)
    first, *others = chosen
    entries = [
        (rng.randrange(3 * entry + 2), rng.randrange(3 * entry + 2), others[2 * entry], others[2 * entry + 1])
        for entry in range(3)
    ]
    return Cell(first, tuple(entries))


def value(cell: Cell) -> float:
    """What the cell computes where each operation is a function of a number."""
    nodes = [0.7]

    def add(operation: int, node: int) -> None:
        source = nodes[node]
        if operation == ZERO or not source:
            nodes.append(0.0)
        else:
            nodes.append(source if operation == SKIP else math.exp(math.sin((operation + 1.3) * source)))

    add(cell.first, 0)
    read: set[int] = set()
    for first, second, *pair in cell.entries:
        read |= {first, second}
        add(pair[0], first)
        add(pair[1], second)
        nodes.append(nodes[-2] + nodes[-1])
    return round(sum(nodes[node] for node in (1, 4, 7, 10) if node not in read), 9)


@pytest.mark.parametrize("operations", [[], [1], [1, 2], [1, 2, 3], [1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5, 6]])
def test_cells_are_equal_where_they_compute_the_same(operations: list[int]) -> None:
    rng = Random(len(operations))
    forms = defaultdict(set)
    for _ in range(100):
        cell = random_cell(rng, operations)
        found = canonical_cell(cell)
        assert canonical_cell(found) == found
        if cell_graph(cell).output:
            assert (value(found), cell_graph(found).unread) == (value(cell), cell_graph(cell).unread)
            forms[value(cell), cell_graph(cell).unread].add(found)
        else:
            assert found == canonical_cell(IDENTITY)
    assert {len(cells) for cells in forms.values()} == {1}
    assert len({cell for cells in forms.values() for cell in cells}) == len(forms) > 1


def rewritten(cell: Cell, rng: Random) -> Cell:
    """The same cell with its entries in another order and the halves of some exchanged."""
    order = [0, 1, 2]
    while True:
        rng.shuffle(order)
        after = {entry: order.index(entry) for entry in order}
        if all(
            node < 2 or after[(node - 2) // 3] < after[entry] for entry in order for node in cell.entries[entry][:2]
        ):
            break
    names, entries = {0: 0, 1: 1}, list[Entry]()
    for place, entry in enumerate(order):
        first, second, *pair = cell.entries[entry]
        old, new = 3 * entry + 2, 3 * place + 2
        exchanged = rng.random() < 0.5
        names |= {old: new + exchanged, old + 1: new + 1 - exchanged, old + 2: new + 2}
        half = (names[first], names[second], pair[0], pair[1])
        entries.append((half[1], half[0], half[3], half[2]) if exchanged else half)
    return Cell(cell.first, tuple(entries))


def test_order_does_not_matter_even_where_operations_are_alike() -> None:
    rng = Random(3)
    for _ in range(150):
        cell = random_cell(rng, [rng.choice((1, 2)) for _ in range(rng.randrange(3, 8))])
        other = rewritten(cell, rng)
        assert canonical_cell(other) == canonical_cell(cell)


def test_operations_without_effect_keep_their_weights_unless_they_are_pruned() -> None:
    cell = Cell(1, ((1, 0, ZERO, 0), NOTHING, NOTHING))
    assert cell_graph(canonical_cell(cell)).unread == (1,)
    assert canonical_cell(cell, pruned=True) == canonical_cell(Cell(0, (NOTHING,) * 3))


def test_alike_operations_that_are_read_by_different_ones_are_told_apart() -> None:
    # Both have two 3 x 3 convolutions of the input and two operations behind them.
    both_of_one = Cell(ZERO, ((0, 0, 1, 1), (2, 2, 2, 3), NOTHING))
    one_of_each = Cell(ZERO, ((0, 0, 1, 1), (2, 3, 2, 3), NOTHING))
    assert canonical_cell(both_of_one) != canonical_cell(one_of_each)


@pytest.mark.parametrize(("connections", "same"), [
    (((3, 3), (1, 0), (1, 3)), ((0, 1), (1, 3), (3, 3))),
    (((2, 1), (0, 0), (4, 5)), ((0, 0), (1, 2), (4, 5))),
    (((2, 1), (4, 0), (3, 1)), ((1, 2), (0, 4), (1, 3))),
])  # fmt: skip
def test_connections_in_any_order(connections: tuple[Connection, ...], same: tuple[Connection, ...]) -> None:
    assert canonical_connections(connections) == canonical_connections(same)
    assert canonical_connections(canonical_connections(same)) == canonical_connections(same)


def test_other_connections_are_others() -> None:
    forms = {canonical_connections(((0, 1), (2, last), (other, 5))) for last in range(5) for other in range(6)}
    assert len(forms) == 30


def test_a_genotype_is_canonical_in_both_parts() -> None:
    genotype = Genotype(Cell(1, ((0, 0, ZERO, 2), NOTHING, NOTHING)), ((3, 1), (0, 0), (2, 2)))
    found = canonical(genotype)
    assert found == Genotype(canonical_cell(genotype.cell), ((0, 0), (1, 3), (2, 2)))
    assert canonical(found) == found
