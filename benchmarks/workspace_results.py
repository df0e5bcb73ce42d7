"""What a workspace contains, in a form in which two workspaces can be compared.

Moments, durations and the names of runs and folders are left out: they differ between any two runs.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import struct
from contextlib import closing
from pathlib import Path
from typing import Any

VOLATILE = frozenset({"seconds", "created", "started_at", "sha256", "checksum", "folder"})
"""Columns and keys of moments and durations, and of checksums over them; the files themselves are compared."""
_SLOT = r"(?<=/)(?:first|second)(?=/)"
"""A predictor is saved to the two in turn; ``folder`` in its document says which one is valid."""
_PASSING = ("-wal", "-shm")
"""Endings of SQLite's own files."""


def results_of(workspace: Path) -> dict[str, Any]:
    """From each file's name to its content."""
    runs = [folder.name for folder in (workspace / "runs").glob("*")]
    place = workspace.parent.parent  # of this workspace and of the one in which its run began
    patterns = [rf"{re.escape(str(place))}/[^/\s]+/workspace", *map(re.escape, runs), _SLOT]
    names = re.compile("|".join(patterns))
    files = sorted(path for path in workspace.rglob("*") if path.is_file() and not path.name.endswith(_PASSING))
    return {_renamed(str(path.relative_to(workspace)), names): _content(path, names) for path in files}


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Names of the files that only one has or that differ."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def rows(path: Path, table: str, columns: str) -> list[tuple[Any, ...]]:
    """Rows of a table of a database, which may be missing."""
    if not path.is_file():
        return []
    with closing(sqlite3.connect(path)) as connection:
        known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        return connection.execute(f"SELECT {columns} FROM {table}").fetchall() if known else []  # noqa: S608


def _content(path: Path, names: re.Pattern[str]) -> Any:
    if path.suffix == ".sqlite":
        return _database(path, names)
    content = path.read_bytes()
    if path.suffix == ".safetensors":
        (length,) = struct.unpack("<Q", content[:8])
        header = json.loads(content[8 : 8 + length])
        texts = header.get("__metadata__", {}).items()
        header["__metadata__"] = {key: _text(text, names) for key, text in texts if key not in VOLATILE}
        return header, hashlib.sha256(content[8 + length :]).hexdigest()
    try:
        return _text(content.decode(), names)
    except UnicodeDecodeError:
        return hashlib.sha256(content).hexdigest()


def _database(path: Path, names: re.Pattern[str]) -> dict[str, list[str]]:
    """Distinct rows of each table, without their numbers."""
    found = {}
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
        for (table,) in tables:
            described = connection.execute(f"PRAGMA table_info({table})").fetchall()
            numbers = {name for _, name, kind, _, _, primary in described if primary and kind == "INTEGER"}
            read = connection.execute(f"SELECT * FROM {table}")  # noqa: S608
            kept = [place for place, column in enumerate(read.description) if column[0] not in VOLATILE.union(numbers)]
            texts = (json.dumps([_text(row[place], names) for place in kept], sort_keys=True) for row in read)
            found[table] = list(dict.fromkeys(texts))
    return found


def _text(value: Any, names: re.Pattern[str]) -> Any:
    """A document without volatile keys, where the text is one."""
    if not isinstance(value, str):
        return value
    value = _renamed(value, names)
    try:
        return _scrubbed(json.loads(value))
    except ValueError:
        return value


def _renamed(text: str, names: re.Pattern[str]) -> str:
    return names.sub("NAME", text)


def _scrubbed(document: Any) -> Any:
    if isinstance(document, dict):
        return {key: _scrubbed(value) for key, value in document.items() if key not in VOLATILE}
    return [_scrubbed(value) for value in document] if isinstance(document, list) else document
