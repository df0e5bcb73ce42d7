"""A new SQLite file appears with its tables or not at all, so that an empty one is a damaged one."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from foundation.schema import Schema
from foundation.temporary_folder import PREFIX, TemporaryFolder


def create(path: Path, schema: Schema) -> None:
    """Makes the file; one that another process has made meanwhile stays. Does nothing where files cannot be linked.

    Raises:
        OSError, sqlite3.Error: the folder cannot be written.
    """
    with TemporaryFolder(parent=path.parent, prefix=f".{PREFIX}") as folder:
        new = folder.path / path.name
        created(new, schema).close()
        with suppress(OSError):  # it is there by now, or the file system has no links, which it says in various ways
            os.link(new, path)


def created(path: Path, schema: Schema) -> sqlite3.Connection:
    """A connection to a new file with the tables of the schema."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN")
    for statement in schema.statements:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {schema.application_id}")
    connection.execute(f"PRAGMA user_version = {schema.version}")
    connection.execute("COMMIT")
    return connection
