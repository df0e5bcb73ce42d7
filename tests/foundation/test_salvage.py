"""What can be read of a damaged file is kept, what cannot is named, and the damaged file stays."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from random import Random
from typing import ClassVar

import pytest

from foundation.damaged_table import Checks
from foundation.database import Database
from foundation.errors import UserError
from foundation.salvage import examine, rebuild
from foundation.schema import Schema

COUNT = 400


def check_note(folder: str, text: str) -> None:
    if len(text) < 3:
        raise ValueError(f"a note of {len(text)} letters")


class Notes(Database):
    schema = Schema(
        kind="note store",
        application_id=7,
        version=3,
        statements=(
            "CREATE TABLE IF NOT EXISTS folders (name TEXT PRIMARY KEY) STRICT",
            "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, folder TEXT NOT NULL REFERENCES folders,"
            " text TEXT NOT NULL, checksum TEXT) STRICT",
            "CREATE INDEX IF NOT EXISTS by_folder ON notes (folder)",
        ),
        remedy="write them again",
    )
    checks: ClassVar[Checks] = {"notes": check_note}

    def add(self, *texts: str) -> None:
        with self._transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO folders VALUES ('home')")
            for text in texts:
                self._insert("notes", {"folder": "home", "text": text})

    def texts(self) -> list[str]:
        return list(self._rows("notes", lambda _, text: str(text)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "notes.sqlite"
    with Notes(path) as notes:
        notes.add(*(f"note {number} " + "x" * (3000 if number % 7 == 0 else 50) for number in range(COUNT)))
    return path


def alter(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def files_in(folder: Path) -> set[str]:
    """Without the files that SQLite keeps beside a database while it is open."""
    return {each.name for each in folder.iterdir() if not each.name.endswith(("-wal", "-shm"))}


def repaired(path: Path) -> list[str]:
    """The notes after a repair, which leaves nothing to repair."""
    health = rebuild(path, Notes.schema, Notes.checks)
    assert health.faults
    assert health.kept_as is not None
    assert not examine(path, Notes.schema, Notes.checks).faults
    with Notes(path) as notes:
        texts = notes.texts()
        assert len(texts) == health.rows.get("notes", 0)
        notes.add("one more")
        assert notes.texts() == [*texts, "one more"]
    return texts


def test_an_intact_file_is_left_alone(path: Path) -> None:
    before = path.read_bytes()
    health = rebuild(path, Notes.schema, Notes.checks)
    assert (health.faults, health.rows, health.kept_as) == ([], {"folders": 1, "notes": COUNT}, None)
    assert path.read_bytes() == before
    assert files_in(path.parent) == {path.name}


def test_examining_changes_nothing(path: Path) -> None:
    alter(path, "UPDATE notes SET text = 'another' WHERE id = 3")
    before = path.read_bytes()
    health = examine(path, Notes.schema, Notes.checks)
    assert health.faults == ["row 3 of notes: its values are not those that were written"]
    assert health.rows["notes"] == COUNT - 1
    assert path.read_bytes() == before


def test_damaged_rows_are_left_out_and_the_file_is_kept(path: Path) -> None:
    alter(
        path,
        "UPDATE notes SET text = 'another' WHERE id = 3",
        "UPDATE notes SET text = 'no', checksum = NULL WHERE id = 5",
        "UPDATE notes SET folder = 'gone', checksum = NULL WHERE id = 7",
        "UPDATE notes SET text = CAST(x'6e6f7465ff' AS TEXT), checksum = NULL WHERE id = 9",
    )
    before = path.read_bytes()
    texts = repaired(path)
    assert {int(text.split()[1]) for text in texts} == set(range(COUNT)) - {2, 4, 6, 8}
    assert path.with_name("notes.sqlite.damaged-1").read_bytes() == before


def test_keys_stay_the_same(path: Path) -> None:
    alter(path, "DELETE FROM notes WHERE id = 2", "UPDATE notes SET text = 'another' WHERE id = 3")
    repaired(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT text FROM notes WHERE id = 4").fetchone()[0].startswith("note 3 ")


def test_every_repair_keeps_its_own_damaged_file(path: Path) -> None:
    for number in (1, 2):
        alter(path, f"UPDATE notes SET text = 'another' WHERE id = {number}")
        repaired(path)
    assert files_in(path.parent) == {"notes.sqlite", "notes.sqlite.damaged-1", "notes.sqlite.damaged-2"}


@pytest.mark.parametrize("seed", range(12))
def test_rows_outside_of_damaged_pages_are_read(path: Path, seed: int) -> None:
    rng = Random(seed)
    content = bytearray(path.read_bytes())
    pages = len(content) // 4096
    first = rng.randrange(5, pages)
    spoiled = range(first * 4096, min(len(content), (first + rng.randint(1, 8)) * 4096))
    content[spoiled.start : spoiled.stop] = rng.randbytes(len(spoiled))
    path.write_bytes(content)
    texts = repaired(path)
    assert len(texts) > COUNT / 2
    assert all(text == f"note {(number := int(text.split()[1]))} " + "x" * (3000 if number % 7 == 0 else 50)
               for text in texts)  # fmt: skip


def test_a_file_that_was_cut_off(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert 0 < len(repaired(path)) < COUNT


@pytest.mark.parametrize(
    "statement", ["DROP TABLE notes", "ALTER TABLE notes DROP COLUMN text", "PRAGMA application_id = 9"]
)
def test_a_changed_schema(path: Path, statement: str) -> None:
    alter(path, statement)
    assert len(repaired(path)) == (COUNT if "PRAGMA" in statement else 0)


@pytest.mark.parametrize("content", [b"", b"no database" * 1000])
def test_nothing_can_be_read(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert repaired(path) == []
    assert path.with_name("notes.sqlite.damaged-1").read_bytes() == content


@pytest.mark.parametrize("kind", ["folder", "fifo"])
def test_no_file(path: Path, kind: str) -> None:
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    assert repaired(path) == []


def test_a_write_ahead_log_moves_with_its_file(path: Path) -> None:
    with Notes(path) as notes:
        notes.add("of the log")
        alter(path, "UPDATE notes SET text = 'another' WHERE id = 1")
        copies = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    for name, content in copies.items():
        (path.parent / name).write_bytes(content)
    assert "of the log" in repaired(path)
    assert (path.parent / "notes.sqlite.damaged-1-wal").is_file()


def test_a_checksum_covers_the_types_that_sqlite_converts(path: Path) -> None:
    with Notes(path) as notes:
        columns = "(id INTEGER PRIMARY KEY, real REAL, whole INTEGER, truth INTEGER, absent TEXT, checksum TEXT)"
        notes._connection.execute(f"CREATE TABLE numbers {columns} STRICT")
        notes._insert("numbers", {"real": 1, "whole": 2.0, "truth": True, "absent": None})
        row = notes._connection.execute("SELECT real, whole, truth, absent, checksum FROM numbers").fetchone()
    from foundation.row_checksum import check_row

    check_row(row[:-1], row[-1])
    with pytest.raises(ValueError, match="not those that were written"):
        check_row([*row[:-2], "x"], row[-1])


def test_a_damaged_row_is_an_error_for_readers(path: Path) -> None:
    alter(path, "UPDATE notes SET text = 'another' WHERE id = 3")
    with Notes(path) as notes, pytest.raises(UserError, match="got row 3 of notes damaged"):
        notes.texts()


def test_a_kill_before_the_end_leaves_the_damaged_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alter(path, "UPDATE notes SET text = 'another' WHERE id = 1")
    content = path.read_bytes()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            rebuild(path, Notes.schema, Notes.checks)
    assert path.read_bytes() == content
    assert files_in(path.parent) == {"notes.sqlite", "notes.sqlite.damaged-1"}
    assert len(repaired(path)) == COUNT - 1


def test_rows_that_are_added_meanwhile_are_no_damage(path: Path) -> None:
    def write(_: str) -> None:
        with Notes(path) as notes, notes._transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO folders VALUES ('new')")
            notes._insert("notes", {"folder": "new", "text": "written meanwhile"})

    assert examine(path, Notes.schema, {**Notes.checks, "folders": write}).faults == []


def test_a_file_that_another_process_has_open_is_not_replaced(path: Path) -> None:
    alter(path, "UPDATE notes SET text = 'another' WHERE id = 1")
    program = "import sys; from tests.foundation.test_salvage import *; n = Notes(Path(sys.argv[1])); print(); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdout.readline()
        before = files_in(path.parent)
        with pytest.raises(UserError, match="another process has open"):
            rebuild(path, Notes.schema, Notes.checks)
        assert files_in(path.parent) == before
        other.communicate(b"\n")
    assert len(repaired(path)) == COUNT - 1
