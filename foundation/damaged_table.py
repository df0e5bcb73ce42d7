"""Reads the rows of a table in a file that may be damaged: what cannot be read, or is not as written, is left out."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foundation.row_checksum import DAMAGE, Value, check_row, described
from foundation.schema import CHECKSUM, Schema

Checks = Mapping[str, Callable[..., object]]
"""By table: takes the columns but key and checksum; raises what is in ``DAMAGE`` for a damaged row."""
Derived = Mapping[tuple[str, str], Callable[..., tuple[Value, ...]]]
"""By a table and the one to which it refers: from the values of a row to those of the row to which it refers."""
NAMED = 3
"""Faults of a kind that are named."""
_GAP = 200_000
"""Most keys that are tried one by one behind a row that cannot be read."""


@dataclass(slots=True)
class FileHealth:
    """What was found in a file; ``faults`` is empty where nothing is wrong."""

    path: Path
    faults: list[str] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    """Number of undamaged rows by table."""
    kept_as: Path | None = None
    """Where the damaged file is now; None where it was not replaced."""


@dataclass(frozen=True, slots=True)
class Row:
    """An undamaged row: the key and the other values but the checksum."""

    table: str
    key: int
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """What a kind of file contains, and what its rows are held to."""

    schema: Schema
    checks: Checks
    derived: Derived


@dataclass(slots=True)
class DamagedTable:
    """One table of a file that may be damaged."""

    connection: sqlite3.Connection
    rules: Rules
    name: str
    found: tuple[str, ...]
    """Columns that the file has."""
    known: dict[str, set[Value]]
    """First values of the undamaged rows of tables that others refer to."""
    health: FileHealth

    def undamaged(self) -> Iterator[Row]:
        """Rows that are as they were written."""
        columns = self.rules.schema.values(self.name)
        if not set(columns) <= set(self.found):
            return
        checksum = CHECKSUM if CHECKSUM in self.found else "NULL"
        references = self._references(columns)
        faults = 0
        for row in self._readable([checksum, *columns]):
            key, expected, values = int(row[0]), row[1], list(row[2:])
            try:
                self._check(values, expected)
                yield from self._derived(values, references)
            except DAMAGE as error:
                faults += 1
                if faults <= NAMED:
                    self.health.faults.append(f"row {key} of {self.name}: {described(error)}")
                continue
            self.known.setdefault(self.name, set()).add(values[0])
            yield Row(self.name, key, tuple(values))
        if faults > NAMED:
            self.health.faults.append(f"{faults - NAMED} more rows of {self.name}")

    def _check(self, values: list[Value], expected: object) -> None:
        for value in values:
            if isinstance(value, str):
                value.encode()
        check_row(values, expected)
        check = self.rules.checks.get(self.name)
        if check is not None:
            check(*values)

    def _derived(self, values: list[Value], references: Mapping[int, str]) -> Iterator[Row]:
        """Missing rows to which this one refers, where they can be made again."""
        for place, table in references.items():
            known = self.known.setdefault(table, set())
            if values[place] in known:
                continue
            derive = self.rules.derived.get((self.name, table))
            if derive is None:
                raise ValueError(f"it belongs to a row of {table} that is damaged or missing")
            made = derive(*values)
            known.add(made[0])
            self.health.faults.append(f"a row of {table} is damaged or missing, and can be made from {self.name}")
            yield Row(table, 0, made)

    def _references(self, columns: Sequence[str]) -> dict[int, str]:
        """Places of the columns that refer to a row of another table; all refer to its first value."""
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as empty:
            for statement in self.rules.schema.statements:
                empty.execute(statement)
            rows = empty.execute(f"PRAGMA foreign_key_list({self.name})").fetchall()
        return {columns.index(row[3]): str(row[2]) for row in rows}

    def _readable(self, columns: list[str]) -> Iterator[tuple[Any, ...]]:
        """Rows that SQLite can read; behind one that it cannot read, the search goes on."""
        wanted = f"SELECT rowid, {', '.join(columns)} FROM {self.name} NOT INDEXED WHERE rowid"  # noqa: S608
        last = breaks = 0
        while True:
            try:
                for row in self.connection.execute(f"{wanted} > ? ORDER BY rowid", (last,)):
                    if row[0] <= last:
                        raise sqlite3.DatabaseError("rows out of order")
                    last = row[0]
                    yield row
                return
            except (sqlite3.Error, MemoryError) as error:
                breaks += 1
                if breaks <= NAMED:
                    self.health.faults.append(f"{self.name} behind row {last}: {described(error)}")
            row = self._next(f"{wanted} = ?", last)
            if row is None:
                return
            last = row[0]
            yield row

    def _next(self, query: str, last: int) -> tuple[Any, ...] | None:
        """The next row that can be read: one of the next keys, else the lowest that is reached from the end."""
        for key in range(last + 1, last + 1 + _GAP):
            row = self._row(query, key)
            if row is not None:
                return row
        lowest: int | None = None
        try:
            descending = f"SELECT rowid FROM {self.name} NOT INDEXED WHERE rowid > ? ORDER BY rowid DESC"  # noqa: S608
            for (key,) in self.connection.execute(descending, (last + _GAP,)):
                if lowest is not None and key >= lowest:
                    break
                lowest = key
        except sqlite3.Error:
            pass
        return None if lowest is None else self._row(query, lowest)

    def _row(self, query: str, key: int) -> tuple[Any, ...] | None:
        try:
            found: tuple[Any, ...] | None = self.connection.execute(query, (key,)).fetchone()
        except (sqlite3.Error, MemoryError):
            return None
        return found
