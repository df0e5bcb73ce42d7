"""The canonical cell: one for all cells that compute the same.

Two cells are equal where the same operations read the same sums: in whatever order they list entries, halves of an
entry and terms of a sum, through skips or directly, and wherever they add zeros. ``cell_graph`` says what is computed.
Since a cell has few entries, the canonical one is found by search: entries are chosen one by one, in an order that does
not depend on the given cell, until they compute just that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from search.spaces.auxiliary_cells.operation_colours import operation_colours
from segmentation.auxiliary_cells.cell_graph import CellGraph, Terms, cell_graph
from segmentation.auxiliary_cells.genotype import ENTRIES, Cell, Entry
from segmentation.auxiliary_cells.operations import SKIP, ZERO

IDENTITY = Cell(SKIP, ((0, 0, ZERO, ZERO),) * ENTRIES)
"""The cell that computes nothing."""

_NOWHERE = -1
"""Stands for what an operation yields that no output depends on."""


@lru_cache(maxsize=1 << 16)
def canonical_cell(cell: Cell, *, pruned: bool = False) -> Cell:
    """The canonical cell that computes the same; that of ``IDENTITY`` in the place of one that yields zeros.

    Operations without effect keep their weights unless it is ``pruned``.
    """
    graph = cell_graph(cell)
    if pruned:
        graph = replace(graph, unread=())
    if not graph.output:
        graph = cell_graph(IDENTITY)
    found = _Search(graph).found()
    assert found is not None, "the cell itself computes this"
    return found


class _State(NamedTuple):
    """A cell up to some entry."""

    values: tuple[Terms, ...]
    """Of each node, in nodes of the graph that is looked for."""
    collected: frozenset[int]
    """Nodes that are terms of the output unless they are read."""
    left: frozenset[int]
    """Operations of the graph that are to be placed."""
    unread: tuple[int, ...]
    """Those without effect."""
    entries: tuple[Entry, ...]


class _Half(NamedTuple):
    """One operation of an entry."""

    order: tuple[int, int, int, int]
    """Those that place something come first; then by node, operation, and colour of what is placed."""
    value: Terms
    left: frozenset[int]
    unread: tuple[int, ...]

    @property
    def to_place(self) -> int:
        return len(self.left) + len(self.unread)

    @property
    def node(self) -> int:
        return self.order[1]

    @property
    def operation(self) -> int:
        return self.order[2]


class _Pair(NamedTuple):
    """An entry."""

    first: _Half
    second: _Half
    total: Terms


class _Search:
    def __init__(self, graph: CellGraph) -> None:
        self.graph = graph
        self.colours = operation_colours(graph)
        self.sums = [graph.output, *graph.reads.values()]

    def found(self) -> Cell | None:
        """The first cell with this graph."""
        state = _State(((0,),), frozenset(), frozenset(self.graph.reads), self.graph.unread, ())
        for half in sorted(self._halves(state)):
            first = _State((*state.values, half.value), frozenset({1}), half.left, half.unread, ())
            entries = self._completed(first)
            if entries is not None:
                return Cell(half.operation, entries)
        return None

    def _completed(self, state: _State) -> tuple[Entry, ...] | None:
        if len(state.entries) == ENTRIES:
            output = sorted(term for node in state.collected for term in state.values[node])
            return state.entries if tuple(output) == self.graph.output and not (state.left or state.unread) else None
        for pair in sorted(
            self._pairs(state), key=lambda pair: (self._rank(pair), pair.first.order, pair.second.order)
        ):
            entries = self._completed(_extended(state, pair))
            if entries is not None:
                return entries
        return None

    def _pairs(self, state: _State) -> Iterator[_Pair]:
        """Entries that may come next."""
        room = 2 * (ENTRIES - len(state.entries) - 1)
        for first in self._halves(state):
            if first.to_place > room + 1:
                continue
            for second in self._halves(state._replace(left=first.left, unread=first.unread)):
                if first.order <= second.order and second.to_place <= room:
                    pair = _Pair(first, second, tuple(sorted(first.value + second.value)))
                    if self._useful(pair, last=not room):
                        yield pair

    def _useful(self, pair: _Pair, *, last: bool) -> bool:
        if last:
            return _contains(self.graph.output, pair.total)
        skips = SKIP in (pair.first.operation, pair.second.operation)
        return not skips or any(_contains(terms, pair.total) for terms in self.sums)

    def _rank(self, pair: _Pair) -> tuple[bool, int, bool]:
        """The most promising entries come first: those whose sum an operation is to read."""
        read = len(pair.total) > 1 and any(self.graph.reads[node] == pair.total for node in pair.second.left)
        return not read, pair.second.to_place, not _contains(self.graph.output, pair.total)

    def _halves(self, state: _State) -> Iterator[_Half]:
        for node, value in enumerate(state.values):
            if value:
                yield _Half((2, node, SKIP, 0), value, state.left, state.unread)
                yield from self._placing(state, node, value)
            # A node that is read is no term of the output any more, even where the operation has no effect.
            if node == 0 or node in state.collected:
                yield _Half((1, node, ZERO, 0), (), state.left, state.unread)
            if node == 0 or node in state.collected or not value:
                yield from _without_effect(state, node, (_NOWHERE,) if value else ())

    def _placing(self, state: _State, node: int, value: Terms) -> Iterator[_Half]:
        """Operations that read this; of those that are alike only the first."""
        colours = set()
        for placed in sorted(state.left):
            if self.graph.reads[placed] == value and self.colours[placed] not in colours:
                colours.add(self.colours[placed])
                order = 0, node, self.graph.operations[placed], self.colours[placed]
                yield _Half(order, (placed,), state.left - {placed}, state.unread)


def _without_effect(state: _State, node: int, value: Terms) -> Iterator[_Half]:
    for operation in sorted(set(state.unread)):
        place = state.unread.index(operation)
        remaining = state.unread[:place] + state.unread[place + 1 :]
        yield _Half((1, node, operation, 0), value, state.left, remaining)


def _extended(state: _State, pair: _Pair) -> _State:
    first, second, total = pair
    values = (*state.values, first.value, second.value, total)
    return _State(
        values,
        state.collected - {first.node, second.node} | {len(values) - 1},
        second.left,
        second.unread,
        (*state.entries, (first.node, second.node, first.operation, second.operation)),
    )


def _contains(terms: Terms, part: Terms) -> bool:
    return all(part.count(term) <= terms.count(term) for term in part)
