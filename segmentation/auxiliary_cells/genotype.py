"""Genotypes: what a cell computes, and which features are merged (Nekrasov et al., CVPR 2019, section 3.1)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import TypeAdapter

from segmentation.auxiliary_cells.operations import OPERATIONS
from segmentation.genotype_text import genotype_error, read_genotype

TAPS = 4
"""Features of the encoder: entries 0 to 3 of the pool that connections read."""
ENTRIES = 3
CONNECTIONS = 3

Entry = tuple[int, int, int, int]
"""Two nodes, and the operation on each; their sum is a node, too."""
Connection = tuple[int, int]
"""Two entries of the pool."""


@dataclass(frozen=True, slots=True)
class Cell:
    """``first`` is the operation on the cell's input (node 0) and gives node 1; each entry gives three nodes."""

    first: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Genotype:
    """One cell, of which every connection has two with weights of their own; the text is that of the publication."""

    cell: Cell
    connections: tuple[Connection, ...]

    def __str__(self) -> str:
        return json.dumps([[self.cell.first, *self.cell.entries], self.connections])

    @staticmethod
    def parse(text: str) -> Genotype:
        """Reads ``[[4, [0, 1, 4, 4], [2, 4, 6, 0], [6, 4, 1, 3]], [[3, 3], [1, 0], [1, 3]]]``.

        Raises:
            UserError: another form, or a number that is out of range.
        """
        expected = f"[[operation, {ENTRIES} entries of 4 numbers], {CONNECTIONS} connections of 2 numbers]"
        (first, *entries), connections = read_genotype(text, _FORM, expected=expected, example=_EXAMPLE)
        genotype = Genotype(Cell(first, tuple(entries)), connections)
        genotype.check()
        return genotype

    def check(self) -> None:
        """Raises ``UserError`` where an operation, a node or an entry of the pool does not exist."""
        _check("the first operation", [self.cell.first], len(OPERATIONS))
        for number, (first, second, *operations) in enumerate(self.cell.entries, start=1):
            _check(f"a node of entry {number}", [first, second], nodes_before(number))
            _check(f"an operation of entry {number}", operations, len(OPERATIONS))
        for number, connection in enumerate(self.connections, start=1):
            _check(f"an input of connection {number}", connection, pool_before(number))


def nodes_before(entry: int) -> int:
    """How many nodes an entry (from 1) can read."""
    return 3 * entry - 1


def pool_before(connection: int) -> int:
    """How many entries of the pool a connection (from 1) can read."""
    return TAPS + connection - 1


_EXAMPLE = "[[4, [0, 1, 4, 4], [2, 4, 6, 0], [6, 4, 1, 3]], [[3, 3], [1, 0], [1, 3]]]"
_FORM = TypeAdapter(tuple[tuple[int, Entry, Entry, Entry], tuple[Connection, Connection, Connection]])


def _check(what: str, numbers: Iterable[int], count: int) -> None:
    for number in numbers:
        if not 0 <= number < count:
            raise genotype_error(f"{number} for {what}", f"0 to {count - 1}", _EXAMPLE)
