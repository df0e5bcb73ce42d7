"""SQLite files that several processes may write to and that a killed process leaves intact."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self, TypeVar

from foundation.damaged_table import Checks, Derived
from foundation.errors import UserError
from foundation.new_database import create
from foundation.regular_file import RefusedFileError, refuse_special
from foundation.row_checksum import DAMAGE, Value, check_row, described, row_checksum
from foundation.salvage import read_only_address
from foundation.schema import CHECKSUM, Schema, columns_by_table, object_names

T = TypeVar("T")

BUSY_TIMEOUT_S = 30.0
CREATION_S = 2.0
"""How long another process may take to write the header of a new file."""
_HEADER_BYTES = 100
_PORTION = 256
"""Rows that are fetched at once."""
_VALUE_BYTES = 2**28
"""Most bytes of one value; a damaged file may claim any number."""

_logger = logging.getLogger(__name__)


class Database:
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

    schema: ClassVar[Schema]
    checks: ClassVar[Checks] = {}
    """What a repair of the file (``foundation.salvage``) holds a row to."""
    derived: ClassVar[Derived] = {}
    """Rows that a repair can make again."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._refuse_special()
        if read_only:
            self._open_read_only()
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                with self._user_errors():
                    create(path, self.schema)
        except OSError as error:
            raise self._not_writable(error.strerror or str(error)) from error
        self._refuse_empty()
        with self._user_errors():
            self._connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            try:
                self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _VALUE_BYTES)
                self._open()
            except BaseException:
                self._connection.close()
                raise
        _logger.debug("opened %s %s", self.schema.kind, path)

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; takes the write lock at once, so that two writers queue instead of failing."""
        with self._user_errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

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

    def _open_read_only(self) -> None:
        with self._user_errors():
            address = read_only_address(self.path)
            self._connection = sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            try:
                self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _VALUE_BYTES)
                self._check_owner()
                self._columns = self._checked_columns()
            except BaseException:
                self._connection.close()
                raise
        _logger.debug("opened %s %s for reading", self.schema.kind, self.path)

    def _open(self) -> None:
        self._check_owner()
        self._use_write_ahead_log()
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        if not (self._pragma("user_version") and self._pragma("application_id")):
            self._create()
        self._columns = self._checked_columns()
        if self._tables_without_checksum() or self.schema.objects - object_names(self._connection):
            self._upgrade()

    def _create(self) -> None:
        with self._transaction():
            for statement in self.schema.statements:
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA application_id = {self.schema.application_id}")
            self._connection.execute(f"PRAGMA user_version = {self.schema.version}")

    def _upgrade(self) -> None:
        """A file of an older version gets checksums, which the rows that it has leave NULL, and indices."""
        with self._transaction():
            self._columns = self._checked_columns()  # another process may have been faster
            for table in self._tables_without_checksum():
                self._connection.execute(f"ALTER TABLE {table} ADD COLUMN {CHECKSUM} TEXT")
            for statement in self.schema.statements:
                self._connection.execute(statement)
            self._columns = self._checked_columns()

    def _tables_without_checksum(self) -> list[str]:
        return [
            table
            for table, columns in self.schema.tables.items()
            if CHECKSUM in columns and CHECKSUM not in self._columns.get(table, columns)
        ]

    def _checked_columns(self) -> dict[str, tuple[str, ...]]:
        """Columns by table; all that the schema names are there but for those of checksums.

        Raises:
            UserError: a table or a column is missing.
        """
        found = columns_by_table(self._connection)
        for table, columns in self.schema.tables.items():
            if table in self.schema.added_tables - found.keys():
                continue
            missing = set(columns) - set(found.get(table, ())) - {CHECKSUM}
            if table not in found:
                raise self._damaged(f"no table {table}")
            if missing:
                raise self._damaged(f"a table {table} without {', '.join(sorted(missing))}")
        return found

    def _check_owner(self) -> None:
        self._connection.execute("BEGIN")  # one view of the file: another process may be creating it
        try:
            version, owner = self._pragma("user_version"), self._pragma("application_id")
            tables = set(columns_by_table(self._connection))
        finally:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
        unmarked = owner == 0 and tables - self.schema.added_tables == self.schema.unmarked_tables
        if tables and owner != self.schema.application_id and not unmarked:
            raise self._error("a database of another program", "a file made by latseg", "give another path")
        if version > self.schema.version:
            raise self._error(
                f"schema version {version}",
                f"at most {self.schema.version}",
                "upgrade latseg to the version that wrote it, or to a newer one",
            )

    def _pragma(self, name: str) -> int:
        (value,) = self._connection.execute(f"PRAGMA {name}").fetchone()
        return int(value)

    def _use_write_ahead_log(self) -> None:
        """Switches once; SQLite does not wait for other connections here, so this does."""
        deadline = time.monotonic() + BUSY_TIMEOUT_S
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL").fetchone()
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    @contextmanager
    def _user_errors(self) -> Iterator[None]:
        try:
            yield
        except MemoryError as error:
            raise self._damaged("a value that does not fit into memory") from error
        except (sqlite3.ProgrammingError, sqlite3.InterfaceError):
            raise
        except sqlite3.IntegrityError as error:
            fault = self._fault()
            if fault:
                raise self._damaged(fault) from error
            raise
        except sqlite3.Error as error:
            # What Python itself cannot decode (text that is not UTF-8) has no code.
            undecodable = isinstance(error, sqlite3.OperationalError)
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT if undecodable else 0) & 0xFF
            match code:
                case sqlite3.SQLITE_FULL:
                    remedy = "free some space and run the command again: what was stored is kept"
                    raise self._error(str(error), "room on the disk", remedy) from error
                case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_IOERR:
                    raise self._not_writable(str(error)) from error
                case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                    expected = f"other writers to finish within {BUSY_TIMEOUT_S:.0f} s"
                    raise self._error(str(error), expected, "wait for the other latseg process, or end it") from error
                case _:
                    raise self._damaged(described(error)) from error

    def _require_intact(self) -> None:
        """Reads the whole file: a damaged page can hide rows without an error, and an index can name others.

        Raises:
            UserError: SQLite finds something wrong.
        """
        with self._user_errors():
            fault = self._fault()
        if fault:
            raise self._damaged(fault)

    def _fault(self) -> str:
        """What SQLite finds wrong with the file; empty where it is intact."""
        try:
            (found,) = self._connection.execute("PRAGMA integrity_check(1)").fetchone()
        except (sqlite3.Error, MemoryError) as error:
            return described(error)
        return "" if found == "ok" else described(ValueError(found))

    def _refuse_special(self) -> None:
        try:
            refuse_special(self.path)
        except RefusedFileError as error:
            remedy = "move it away, or give another path"
            raise self._error(str(error.strerror), "a file of latseg that can be written", remedy) from error

    def _refuse_empty(self) -> None:
        """SQLite takes a file without a header for a new one; only where files cannot be linked it may be one."""
        deadline = time.monotonic() + CREATION_S
        while (size := self.path.stat().st_size if self.path.exists() else _HEADER_BYTES) < _HEADER_BYTES:
            if time.monotonic() < deadline:
                time.sleep(0.02)
                continue
            raise self._damaged(f"a file of {size} bytes")

    def _damaged(self, seen: str) -> UserError:
        return self._error(seen, "an intact SQLite file", self.remedy)

    @property
    def remedy(self) -> str:
        """What to do with this file where it is damaged."""
        return self.schema.remedy

    def _not_writable(self, seen: str) -> UserError:
        return self._error(
            seen,
            "a folder that can be written (SQLite keeps a log beside the file)",
            "free space on the disk, change its permissions, or copy the file to a workspace of your own",
        )

    def _error(self, seen: str, expected: str, remedy: str) -> UserError:
        return UserError(f"{self.schema.kind} {self.path}", seen=seen, expected=expected, remedy=remedy)
