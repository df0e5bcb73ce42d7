"""A file of SQLite: created, opened, brought up to date, and written to in transactions."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from foundation.database_errors import BUSY_TIMEOUT_S, DatabaseErrors
from foundation.new_database import create
from foundation.regular_file import RefusedFileError, refuse_special
from foundation.salvage import read_only_address
from foundation.schema import CHECKSUM, columns_by_table, object_names

CREATION_S = 2.0
"""How long another process may take to write the header of a new file."""
_HEADER_BYTES = 100
_VALUE_BYTES = 2**28
"""Most bytes of one value; a damaged file may claim any number."""

_logger = logging.getLogger(__name__)


class DatabaseFile(DatabaseErrors):
    """Opens or creates the file of ``schema``; arguments and errors are those of ``foundation.database.Database``."""

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
