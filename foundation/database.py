"""SQLite files that several processes may write to and that a killed process leaves intact."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self, TypeVar

from foundation.errors import UserError

T = TypeVar("T")

BUSY_TIMEOUT_S = 30.0

_logger = logging.getLogger(__name__)


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
    """Create tables, indices and triggers; each must do nothing where its object exists (``IF NOT EXISTS``)."""
    remedy: str
    """What to do with a damaged file."""
    unmarked_tables: frozenset[str] = frozenset()
    """Tables by which a file is accepted that was written before this kind had an application id."""


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

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        if read_only:
            self._open_read_only()
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._not_writable(error.strerror or str(error)) from error
        with self._user_errors():
            self._connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            try:
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

    def _select(self, decode: Callable[..., T], query: str, *arguments: str | float | None) -> Iterator[T]:
        """The rows of a query, each passed to ``decode`` when it is needed.

        Raises:
            UserError: the file, or a value that ``decode`` refuses, is damaged.
        """
        with self._user_errors():
            rows = self._connection.execute(query, arguments).fetchall()
        for row in rows:
            try:
                value = decode(*row)
            except (KeyError, TypeError, ValueError, UserError) as error:
                raise self._damaged(f"{type(error).__name__}: {error}") from error
            yield value

    def _open_read_only(self) -> None:
        # SQLite writes a file beside the database even to read it, unless it is told that nobody else changes it.
        immutable = "" if os.access(self.path.parent, os.W_OK) else "&immutable=1"
        with self._user_errors():
            address = f"{self.path.absolute().as_uri()}?mode=ro{immutable}"
            self._connection = sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            try:
                self._check_owner()
            except BaseException:
                self._connection.close()
                raise
        _logger.debug("opened %s %s for reading", self.schema.kind, self.path)

    def _open(self) -> None:
        self._check_owner()
        self._use_write_ahead_log()
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        if self._pragma("user_version") and self._pragma("application_id"):
            return
        with self._transaction():
            for statement in self.schema.statements:
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA application_id = {self.schema.application_id}")
            self._connection.execute(f"PRAGMA user_version = {self.schema.version}")

    def _check_owner(self) -> None:
        self._connection.execute("BEGIN")  # one view of the file: another process may be creating it
        try:
            version, owner = self._pragma("user_version"), self._pragma("application_id")
            query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            with closing(self._connection.execute(query)) as rows:
                tables = {str(name) for (name,) in rows}
        finally:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
        unmarked = owner == 0 and tables == self.schema.unmarked_tables
        if tables and owner != self.schema.application_id and not unmarked:
            raise self._error("a database of another program", "a file made by latseg", "give another path")
        if version > self.schema.version:
            raise self._error(
                f"schema version {version}",
                f"at most {self.schema.version}",
                "upgrade latseg to the version that wrote it, or to a newer one",
            )

    def _pragma(self, name: str) -> int:
        return int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])

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
        except sqlite3.Error as error:
            # What Python itself cannot decode (text that is not UTF-8) has no code.
            undecodable = isinstance(error, sqlite3.OperationalError)
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT if undecodable else 0) & 0xFF
            match code:
                case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_ERROR:
                    raise self._damaged(str(error)) from error
                case sqlite3.SQLITE_FULL:
                    remedy = "free some space and run the command again: what was stored is kept"
                    raise self._error(str(error), "room on the disk", remedy) from error
                case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_IOERR:
                    raise self._not_writable(str(error)) from error
                case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                    expected = f"other writers to finish within {BUSY_TIMEOUT_S:.0f} s"
                    raise self._error(str(error), expected, "wait for the other latseg process, or end it") from error
                case _:
                    raise

    def _damaged(self, seen: str) -> UserError:
        return self._error(seen, "an intact SQLite file", self.schema.remedy)

    def _not_writable(self, seen: str) -> UserError:
        return self._error(
            seen,
            "a folder that can be written (SQLite keeps a log beside the file)",
            "free space on the disk, change its permissions, or copy the file to a workspace of your own",
        )

    def _error(self, seen: str, expected: str, remedy: str) -> UserError:
        return UserError(f"{self.schema.kind} {self.path}", seen=seen, expected=expected, remedy=remedy)
