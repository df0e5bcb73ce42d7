"""Reads what a damaged SQLite file still holds, row by row, and writes it into a new file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from foundation.damaged_table import NAMED, Checks, DamagedTable, Derived, FileHealth, Row, Rules
from foundation.database_lock import is_in_use
from foundation.errors import UserError
from foundation.new_database import created
from foundation.regular_file import RefusedFileError, refuse_special
from foundation.row_checksum import Value, described, row_checksum
from foundation.schema import CHECKSUM, Schema, columns_by_table
from foundation.temporary_folder import PREFIX, TemporaryFolder

_NONE: Derived = {}
_COMPANIONS = ("-wal", "-shm")


def examine(path: Path, schema: Schema, checks: Checks, derived: Derived = _NONE) -> FileHealth:
    """Reads the whole file and changes nothing.

    Args:
        path: the file.
        schema: of the kind of file that it should be.
        checks: what a row is held to.
        derived: rows that can be made again where others refer to them.
    """
    health = FileHealth(path)
    for row in _salvaged(health, schema, checks, derived):
        health.rows[row.table] = health.rows.get(row.table, 0) + 1
    return health


def rebuild(path: Path, schema: Schema, checks: Checks, derived: Derived = _NONE) -> FileHealth:
    """Replaces the file, where it is damaged, by one with its undamaged rows; the old one is kept beside it.

    The arguments are those of ``examine``.

    Raises:
        OSError, sqlite3.Error: the folder cannot be written.
        UserError: another process has the file open; what it writes would be lost.
    """
    health = examine(path, schema, checks, derived)
    if not health.faults:
        return health
    _require_unused(path)
    with TemporaryFolder(parent=path.parent, prefix=f".{PREFIX}") as folder:
        new = folder.path / path.name
        with closing(created(new, schema)) as target:
            target.execute("BEGIN")
            again = FileHealth(path)
            for row in _salvaged(again, schema, checks, derived):
                _copy(row, target, schema)
            target.execute("COMMIT")
        _require_unused(path)
        health.kept_as = _put_aside(path)
        new.replace(path)
    return health


def aside(path: Path) -> Path:
    """``NAME.damaged-N`` beside the file, for the first number that is free."""
    number = 1
    while os.path.lexists(path.with_name(f"{path.name}.damaged-{number}")):
        number += 1
    return path.with_name(f"{path.name}.damaged-{number}")


def _require_unused(path: Path) -> None:
    if path.is_file() and is_in_use(path):
        raise UserError(
            f"repair of {path}", seen="a file that another process has open", expected="one that nobody uses",
            remedy="end the other latseg process and repair then",
        )  # fmt: skip


def _put_aside(path: Path) -> Path:
    """A file keeps its name until the new one replaces it: after a kill the next command must not begin a new store."""
    kept = aside(path)
    try:
        os.link(path, kept, follow_symlinks=False)
    except OSError:  # a folder, or a file system without such links
        path.rename(kept)
    for suffix in _COMPANIONS:
        companion = path.with_name(path.name + suffix)
        if os.path.lexists(companion):
            companion.rename(kept.with_name(kept.name + suffix))
    return kept


def _copy(row: Row, target: sqlite3.Connection, schema: Schema) -> None:
    columns = [name for name in schema.tables[row.table] if name != CHECKSUM]
    names, values = columns, list(row.values)
    if len(columns) == len(row.values) + 1:
        values = [row.key, *values]
    if CHECKSUM in schema.tables[row.table]:
        names, values = [*columns, CHECKSUM], [*values, row_checksum(row.values)]
    marks = ", ".join("?" * len(values))
    target.execute(f"INSERT OR IGNORE INTO {row.table} ({', '.join(names)}) VALUES ({marks})", values)  # noqa: S608


def _salvaged(health: FileHealth, schema: Schema, checks: Checks, derived: Derived) -> Iterator[Row]:
    """The undamaged rows, in the order of the schema's tables; notes in ``health`` what is wrong."""
    try:
        refuse_special(health.path)
        connection = sqlite3.connect(read_only_address(health.path), uri=True, isolation_level=None)
    except (RefusedFileError, sqlite3.Error) as error:
        health.faults.append(getattr(error, "strerror", None) or described(error))
        return
    with closing(connection):
        connection.text_factory = _decoded
        try:
            # Otherwise SQLite reads nothing of a file that was cut off.
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute("BEGIN")  # one view of the file: another process may be adding rows
            health.faults += _file_faults(connection, schema)
            found = columns_by_table(connection)
        except (sqlite3.Error, MemoryError, TypeError) as error:
            health.faults.append(described(error))
            return
        known: dict[str, set[Value]] = {}
        for table in schema.tables:
            if table in found:
                rules = Rules(schema, checks, derived)
                yield from DamagedTable(connection, rules, table, found[table], known, health).undamaged()


def read_only_address(path: Path) -> str:
    """The URI under which SQLite opens the file for reading.

    SQLite writes a file beside the database even to read it, unless it is told that nobody else changes it. It then
    does not see what is still in the log beside it.
    """
    log = path.with_name(f"{path.name}-wal")
    complete = not log.exists() or not log.stat().st_size
    immutable = "&immutable=1" if complete and not os.access(path.parent, os.W_OK) else ""
    return f"{path.absolute().as_uri()}?mode=ro{immutable}"


def _decoded(content: bytes) -> str:
    """Text as it is; what is not UTF-8 is noticed by whoever encodes it again."""
    return content.decode("utf-8", "surrogateescape")


def _file_faults(connection: sqlite3.Connection, schema: Schema) -> list[str]:
    faults = []
    found = columns_by_table(connection)
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    if not found:
        faults.append("no tables")
    elif owner not in (schema.application_id, 0):
        faults.append(f"the application id {owner}, which is another program's")
    for table, columns in schema.tables.items() if found else ():
        if table in schema.added_tables - found.keys():
            continue
        missing = set(columns) - set(found.get(table, ())) - {CHECKSUM}
        if missing:
            faults.append(
                f"no table {table}" if table not in found else f"{table} without {', '.join(sorted(missing))}"
            )
    return faults + _integrity_faults(connection)


def _integrity_faults(connection: sqlite3.Connection) -> list[str]:
    """What SQLite finds; where the damage stops its search, that is the last one."""
    try:
        results = connection.execute(f"PRAGMA integrity_check({NAMED})").fetchall()
    except (sqlite3.Error, MemoryError) as error:
        return [described(error)]
    return [described(ValueError(text)) for (text,) in results if text != "ok"]
