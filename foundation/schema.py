"""What a kind of SQLite file contains, and how its errors name it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache

CHECKSUM = "checksum"
"""Column with the checksum of the other values of a row; NULL in rows of programs that did not know it."""


@dataclass(frozen=True)
class Schema:
    """What a kind of file contains and how its errors name it."""

    kind: str
    """In messages, such as ``"measurement store"``."""
    application_id: int
    """Distinguishes the file from another program's database."""
    version: int
    """Raised with every change after which an older program would misread the file."""
    statements: tuple[str, ...]
    """Create tables, indices and triggers; each must do nothing where its object exists (``IF NOT EXISTS``). A table
    that another one refers to comes before it."""
    remedy: str
    """What to do with a damaged file."""
    unmarked_tables: frozenset[str] = frozenset()
    """Tables by which a file is accepted that was written before this kind had an application id."""

    added_tables: frozenset[str] = frozenset()
    """Tables that files of older versions lack; opening such a file for writing adds them."""

    @property
    def tables(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the columns by table, both in the order in which they are created."""
        return _tables(self.statements)

    def values(self, table: str) -> tuple[str, ...]:
        """Names of a table's columns but the number of the row, where it has one, and the checksum."""
        numbered = table in _numbered(self.statements)
        return tuple(name for name in self.tables[table][numbered:] if name != CHECKSUM)

    @property
    def objects(self) -> frozenset[str]:
        """Names of the tables, indices and triggers."""
        return _objects(self.statements)


@lru_cache
def _objects(statements: tuple[str, ...]) -> frozenset[str]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
        return object_names(connection)


def object_names(connection: sqlite3.Connection) -> frozenset[str]:
    """Names of the tables, indices and triggers of an open file."""
    return frozenset(str(name) for (name,) in connection.execute("SELECT name FROM sqlite_master").fetchall())


@lru_cache
def _tables(statements: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    """By creating them, so that nothing needs to be written twice."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
        return columns_by_table(connection)


@lru_cache
def _numbered(statements: tuple[str, ...]) -> frozenset[str]:
    """Tables whose key is one whole number, which is then the first column."""
    keys = "SELECT type FROM pragma_table_info(?) WHERE pk"
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
        types = {table: connection.execute(keys, (table,)).fetchall() for table in columns_by_table(connection)}
    return frozenset(table for table, found in types.items() if found == [("INTEGER",)])


def columns_by_table(connection: sqlite3.Connection) -> dict[str, tuple[str, ...]]:
    """Names of the columns by table of an open file, in the order of creation."""
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
    names = [str(name) for (name,) in connection.execute(query).fetchall()]
    columns = "SELECT name FROM pragma_table_info(?) ORDER BY cid"
    return {name: tuple(str(column) for (column,) in connection.execute(columns, (name,))) for name in names}
