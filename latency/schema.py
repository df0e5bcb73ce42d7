"""The measurement store's SQLite file: its tables, its version, and what can be wrong with it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from foundation.errors import UserError

SCHEMA_VERSION = 1
APPLICATION_ID = 0x6C617473
"""``lats``: tells a store from another program's database."""
BUSY_TIMEOUT_S = 30.0

_TABLES = {
    "devices": "fingerprint TEXT PRIMARY KEY, info TEXT NOT NULL",
    "graphs": "key TEXT PRIMARY KEY, graph TEXT NOT NULL",
    "measurements": """id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL REFERENCES devices, label TEXT NOT NULL,
        source TEXT NOT NULL, graph_key TEXT NOT NULL REFERENCES graphs, latency_ms REAL NOT NULL,
        measurement TEXT NOT NULL""",
    "failures": """id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL REFERENCES devices, label TEXT NOT NULL,
        source TEXT NOT NULL, model_sha256 TEXT NOT NULL, reason TEXT NOT NULL, started_at TEXT NOT NULL""",
    "reference_times": """id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL REFERENCES devices,
        nominal_ms REAL NOT NULL""",
    "noise_floors": """id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL REFERENCES devices,
        normalised_percent REAL NOT NULL, raw_percent REAL NOT NULL, repeats INTEGER NOT NULL""",
}
_INDICES = ("measurements", "failures", "reference_times", "noise_floors")


def connect(path: Path) -> sqlite3.Connection:
    """Opens a store, new where there is none. The caller begins and commits its transactions.

    Raises:
        UserError: no store, a broken one, one of a newer schema, or a folder that cannot be written.
    """
    with user_errors(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(path, error.strerror or str(error)) from error
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        try:
            _check_owner(connection, path)
            _use_write_ahead_log(connection)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            _create(connection)
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """All or nothing; takes the write lock at once, so that two writers queue instead of failing."""
    with user_errors(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise


@contextmanager
def user_errors(path: Path) -> Iterator[None]:
    """Tells SQLite's errors as the user's."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        match code:
            case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
                raise corrupt(path, str(error)) from error
            case sqlite3.SQLITE_FULL:
                raise UserError(
                    f"measurement store {path}",
                    seen=str(error),
                    expected="room on the disk",
                    remedy="free some space and run the command again: what was stored is kept",
                ) from error
            case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_IOERR:
                raise _unwritable(path, str(error)) from error
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                raise UserError(
                    f"measurement store {path}",
                    seen=str(error),
                    expected=f"other writers to be done within {BUSY_TIMEOUT_S:.0f} s",
                    remedy="wait for the other latseg process, or end it",
                ) from error
            case _:
                raise


def corrupt(path: Path, detail: str) -> UserError:
    """The error for a store that cannot be read."""
    return UserError(
        f"measurement store {path}",
        seen=detail,
        expected="an intact SQLite file",
        remedy="restore it from a copy, or move it away and profile again",
    )


def _unwritable(path: Path, detail: str) -> UserError:
    return UserError(
        f"measurement store {path}",
        seen=detail,
        expected="a folder that can be written (SQLite keeps a log beside the file)",
        remedy="free space on the disk, change its permissions, or copy the store to a workspace of your own",
    )


def _check_owner(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("BEGIN")  # one view of the file: another process may be creating the store
    try:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        owner = int(connection.execute("PRAGMA application_id").fetchone()[0])
        tables = int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    finally:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
    if tables and owner != APPLICATION_ID:
        raise UserError(
            f"measurement store {path}",
            seen="a database of another program",
            expected="a store made by latseg",
            remedy="give another path",
        )
    if version > SCHEMA_VERSION:
        raise UserError(
            f"measurement store {path}",
            seen=f"schema version {version}",
            expected=f"at most {SCHEMA_VERSION}",
            remedy="upgrade latseg, or use another workspace",
        )


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Switches once; SQLite does not wait for other connections here, so this does."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _create(connection: sqlite3.Connection) -> None:
    if connection.execute("PRAGMA user_version").fetchone()[0]:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for table, columns in _TABLES.items():
            connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns}) STRICT")
            for change in ("UPDATE", "DELETE"):
                connection.execute(
                    f"CREATE TRIGGER IF NOT EXISTS {table}_{change.lower()} BEFORE {change} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )
        for table in _INDICES:
            connection.execute(f"CREATE INDEX IF NOT EXISTS {table}_by_device ON {table} (fingerprint)")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
