"""Errors of SQLite as one line for the user."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from foundation.errors import UserError
from foundation.row_checksum import described
from foundation.schema import Schema

BUSY_TIMEOUT_S = 30.0


class DatabaseErrors:
    """What a user can do about each error of SQLite with the file ``path`` of ``schema``."""

    schema: ClassVar[Schema]
    path: Path
    _connection: sqlite3.Connection

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
