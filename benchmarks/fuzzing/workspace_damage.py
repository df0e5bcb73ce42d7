"""Damage to the files of a workspace, the same for the same random numbers."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from typing import Any

from fuzzing.special_files import Special, put

Damage = Callable[[Path, Random], str]
"""Damages a file and says how."""
KINDS = {
    "store": ("measurements.sqlite",),
    "predictor": ("predictors/*/*.json", "predictors/*/*/*"),
    "prior": ("prior/*",),
    "run": ("runs/*/run.json",),
    "trials": ("runs/*/trials.sqlite",),
    "record": ("runs/*/near_budget.json",),
    "winner": ("runs/*/winners/*.safetensors",),
    "supernet": ("runs/*/supernet.safetensors",),
    "bundle": ("runs/*/bundles/*/*",),
}
"""Patterns of files by what they are."""
_MAY_BE_MISSING = ("trials.sqlite",)
"""A run that just began has none."""
_PAGE = 4096
_STRANGE: tuple[Any, ...] = (
    None, [], {}, [[]], "", "\x00", "\ud800", "x" * 10_000, -1, 0, 1e308, 10**400, 2**63, True, float("nan"),
    float("inf"),
)  # fmt: skip
_SQL = (
    "DROP TABLE {table}",
    "UPDATE {table} SET {column} = NULL WHERE rowid % {step} = 0",
    "UPDATE {table} SET {column} = 9e999 WHERE rowid % {step} = 0",
    "UPDATE {table} SET {column} = -1 WHERE rowid % {step} = 0",
    "UPDATE {table} SET {column} = 'NaN' WHERE rowid % {step} = 0",
    "UPDATE {table} SET {column} = CAST(x'ff00' AS TEXT) WHERE rowid % {step} = 0",
    "UPDATE {table} SET {column} = x'00ff' WHERE rowid % {step} = 0",
    "UPDATE {table} SET {column} = replace({column}, '1', '2') WHERE rowid % {step} = 0",
    "UPDATE {table} SET {column} = replace({column}, '0', '') WHERE rowid % {step} = 0",
    "UPDATE {table} SET {column} = {column} || ' ' WHERE rowid % {step} = 0",
    "ALTER TABLE {table} DROP COLUMN {column}",
    "ALTER TABLE {table} RENAME TO other",
    "PRAGMA application_id = {step}",
    "PRAGMA user_version = {step}",
)
_OF_OLD_FILES = tuple(f"= {value} WHERE rowid % {{step}} = 0" for value in ("NULL", "9e999", "'NaN'", "x'00ff'"))
"""Values that are noticed without a checksum, too, as in a file of an older version; 'NaN' where no text may be."""


def damage(workspace: Path, kind: str, random: Random) -> str:
    """Damages one file of this kind."""
    path = random.choice(files_of(workspace, kind))
    ways = [*_OF_ANY, *(_OF_JSON if path.suffix == ".json" else ()), *(_OF_SQLITE if path.suffix == ".sqlite" else ())]
    way = random.choice(ways)
    return f"{kind} {path.name}: {way.__name__.strip('_')} {way(path, random)}"


def files_of(workspace: Path, kind: str) -> list[Path]:
    """The files of this kind."""
    return sorted(path for pattern in KINDS[kind] for path in workspace.glob(pattern) if path.is_file())


def replace(path: Path, content: bytes) -> None:
    """A new file, since the old one may be linked to the workspace that all cases share."""
    path.unlink()
    path.write_bytes(content)


def _flipped_bit(path: Path, random: Random) -> str:
    content = bytearray(path.read_bytes())
    place = random.randrange(len(content))
    content[place] ^= 1 << random.randrange(8)
    replace(path, content)
    return f"at {place}"


def _changed_bytes(path: Path, random: Random) -> str:
    content = bytearray(path.read_bytes())
    places = [random.randrange(len(content)) for _ in range(random.randint(1, 8))]
    for place in places:
        content[place] = random.randrange(256)
    replace(path, content)
    return f"at {places}"


def _changed_digit(path: Path, random: Random) -> str:
    content = bytearray(path.read_bytes())
    places = [place for place, byte in enumerate(content) if 0x30 <= byte <= 0x39]
    place = random.choice(places or [0])
    content[place] = random.choice(b"0123456789")
    replace(path, content)
    return f"at {place}"


def _cut_off(path: Path, random: Random) -> str:
    content = path.read_bytes()
    kept = random.choice([0, 1, random.randrange(len(content)), len(content) // _PAGE // 2 * _PAGE])
    replace(path, content[:kept])
    return f"to {kept} bytes"


def _longer(path: Path, random: Random) -> str:
    replace(path, path.read_bytes() + random.randbytes(random.choice([1, 100, _PAGE])))
    return ""


def _spoiled_page(path: Path, random: Random) -> str:
    content = bytearray(path.read_bytes())
    start = random.randrange(max(1, len(content) // _PAGE)) * _PAGE
    size = min(_PAGE, len(content) - start)
    content[start : start + size] = random.choice([bytes(size), random.randbytes(size)])
    replace(path, content)
    return f"at {start}"


def _exchanged(path: Path, random: Random) -> str:
    """With another file of the workspace."""
    root = next(parent for parent in path.parents if (parent / "runs").is_dir())
    other = random.choice([each for each in sorted(root.rglob("*")) if each.is_file() and each != path])
    one, two = path.read_bytes(), other.read_bytes()
    replace(path, two)
    replace(other, one)
    return f"with {other.name}"


def _special(path: Path, random: Random) -> str:
    path.unlink()
    kinds = [kind for kind in Special if kind is not Special.NOTHING or path.name not in _MAY_BE_MISSING]
    kind = random.choice(kinds)
    put(kind, path)
    return kind


def _edited(path: Path, random: Random) -> str:
    """Another value in a JSON document."""
    document = json.loads(path.read_text())
    holder, key = random.choice(list(_places(document)) or [(None, None)])
    if holder is None:
        replace(path, b"[]")
        return "all"
    value = holder[key]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    holder[key] = random.choice([*_STRANGE, *((value + 1, value * 1.01, -value) if number else ())])
    replace(path, json.dumps(document).encode())
    return f"{key} = {str(holder[key])[:30]!r}"


def _removed(path: Path, random: Random) -> str:
    document = json.loads(path.read_text())
    holder, key = random.choice([each for each in _places(document) if isinstance(each[1], str)] or [(None, None)])
    if holder is not None:
        del holder[key]
    replace(path, json.dumps(document).encode())
    return str(key)


def _nested(path: Path, random: Random) -> str:
    depth = random.choice([100, 990, 100_000])
    replace(path, b"[" * depth + b"1" + b"]" * depth)
    return f"{depth} levels"


def _statement(path: Path, random: Random) -> str:
    with closing(sqlite3.connect(path)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f'DROP TRIGGER "{name}"')
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        table = random.choice([name for (name,) in tables.fetchall()])
        columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
        wanted = random.choice(_SQL)
        _, column, declared, *_ = random.choice(columns)
        statement = wanted.format(table=table, column=column, step=random.choice([1, 2, 5]))
        with suppress(sqlite3.Error):  # not every statement fits every table
            connection.execute(statement)
        noticed = wanted.endswith(_OF_OLD_FILES) and not (declared == "TEXT" and "NaN" in wanted)
        if noticed and random.random() < 0.5:
            with suppress(sqlite3.Error):
                connection.execute(f"UPDATE {table} SET checksum = NULL")  # noqa: S608
            statement += ", without checksums"
        connection.commit()
    return statement


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a JSON document: what holds it, and its key."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


_OF_ANY: tuple[Damage, ...] = (
    _flipped_bit, _changed_bytes, _changed_digit, _cut_off, _longer, _spoiled_page, _exchanged, _special,
)  # fmt: skip
_OF_JSON: tuple[Damage, ...] = (_edited, _edited, _edited, _removed, _nested)
_OF_SQLITE: tuple[Damage, ...] = (_statement, _statement, _statement, _spoiled_page)
