"""SQLite files that several processes may write to and that a killed process leaves intact."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any, ClassVar, TypeVar

from foundation.damaged_table import Checks, Derived
from foundation.database_file import DatabaseFile
from foundation.row_checksum import DAMAGE, Value, check_row, described, row_checksum
from foundation.schema import CHECKSUM

T = TypeVar("T")

_PORTION = 256
"""Rows that are fetched at once."""


class Database(DatabaseFile):
    """Base of a store: opens or creates the file of ``schema`` and turns errors of SQLite into one line for the user.

    Every transaction is on disk when it ends (write-ahead log, ``synchronous = FULL``): a process killed at any moment
    loses only the transaction that is running. Usable as a context manager. One instance belongs to one thread;
    processes open their own.

    Args:
        path: the file.
        read_only: the file exists, and nothing is written; also works in a folder that cannot be written.

    Raises:
        UserError: damaged file, another program's file, newer schema, folder that cannot be written.
    """

    checks: ClassVar[Checks] = {}
    """What a repair of the file (``foundation.salvage``) holds a row to."""
    derived: ClassVar[Derived] = {}
    """Rows that a repair can make again."""

    def _insert(self, table: str, row: Mapping[str, Value], *, or_ignore: bool = False) -> None:
        """Adds a row of a table with checksums; all columns but the key, in the table's order."""
        columns = ", ".join((*row, CHECKSUM))
        statement = f"INSERT {'OR IGNORE ' * or_ignore}INTO {table} ({columns}) VALUES (?{', ?' * len(row)})"  # noqa: S608
        self._connection.execute(statement, (*row.values(), row_checksum(row.values())))

    def _select(self, decode: Callable[..., T], query: str, *arguments: Value) -> Iterator[T]:
        """The rows of a query, each passed to ``decode`` when it is needed.

        Raises:
            UserError: the file, or a value that ``decode`` refuses, is damaged.
        """
        for row in self._fetched(query, arguments):
            try:
                value = decode(*row)
            except DAMAGE as error:
                raise self._damaged(described(error)) from error
            yield value

    def _rows(
        self,
        table: str,
        decode: Callable[..., T],
        *,
        trusting: Callable[..., T] | None = None,
        where: str = "TRUE",
        arguments: tuple[Value, ...] = (),
        join: str = "",
        joined: str = "",
        order: str = "",
        on_damage: Callable[[str], None] | None = None,
    ) -> Iterator[T]:
        """Rows of a table with checksums, each compared with its own and passed to ``decode`` when it is needed.

        Args:
            table: its name.
            decode: takes the table's columns but key and checksum, in their order, then those of ``joined``.
            trusting: used instead of ``decode`` for a row that has a checksum, and the right one.
            where: condition.
            arguments: of the condition.
            join: further tables.
            joined: columns of these.
            order: by default that of the key.
            on_damage: called with the description of a row that is not as it was written, which is then left out.

        Raises:
            UserError: the file is damaged, or a row is and there is no ``on_damage``.
        """
        columns = self.schema.values(table)
        checksum = f"{table}.{CHECKSUM}" if CHECKSUM in self._columns[table] else "NULL"
        wanted = ", ".join([f"{table}.rowid", checksum, *(f"{table}.{name}" for name in columns)])
        wanted += f", {joined}" if joined else ""
        query = f"SELECT {wanted} FROM {table} {join} WHERE {where} ORDER BY {order or f'{table}.rowid'}"  # noqa: S608
        for key, expected, *values in self._fetched(query, arguments):
            try:
                check_row(values[: len(columns)], expected)
                value = (decode if trusting is None or expected is None else trusting)(*values)
            except DAMAGE as error:
                seen = f"row {key} of {table} damaged ({described(error)})"
                if on_damage is None:
                    raise self._damaged(seen) from error
                on_damage(seen)
                continue
            yield value

    def _fetched(self, query: str, arguments: tuple[Value, ...]) -> Iterator[tuple[Any, ...]]:
        """In portions, so that a large table need not fit into memory as text."""
        with self._user_errors():
            cursor = self._connection.execute(query, arguments)
        with closing(cursor):
            while True:
                with self._user_errors():
                    portion = cursor.fetchmany(_PORTION)
                if not portion:
                    return
                yield from portion
