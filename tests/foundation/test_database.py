"""What every store gets from its base class; stores test the rest with files of their own."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from foundation import database_file
from foundation.database import Database
from foundation.errors import UserError
from foundation.schema import Schema


class Notes(Database):
    schema = Schema(
        kind="note store",
        application_id=7,
        version=3,
        statements=("CREATE TABLE IF NOT EXISTS notes (text TEXT NOT NULL)",),
        remedy="write them again",
    )

    def add(self, *texts: str) -> None:
        with self._transaction() as connection:
            for text in texts:
                connection.execute("INSERT INTO notes VALUES (?)", (text,))

    def decoded(self) -> list[object]:
        return list(self._select(json.loads, "SELECT text FROM notes ORDER BY rowid"))

    def pragma(self, name: str) -> object:
        return self._connection.execute(f"PRAGMA {name}").fetchone()[0]


@pytest.fixture
def notes(tmp_path: Path) -> Iterator[Notes]:
    with Notes(tmp_path / "folder" / "notes.sqlite") as opened:
        yield opened


def test_commits_are_on_disk_and_references_are_checked(notes: Notes) -> None:
    assert notes.pragma("journal_mode") == "wal"
    assert notes.pragma("synchronous") == 2
    assert notes.pragma("foreign_keys") == 1
    assert (notes.pragma("application_id"), notes.pragma("user_version")) == (7, 3)


def test_a_failed_transaction_stores_nothing(notes: Notes) -> None:
    notes.add("1", "2")
    with pytest.raises(sqlite3.IntegrityError):
        notes.add("3", None)  # type: ignore[arg-type]
    assert notes.decoded() == [1, 2]


def test_a_value_that_cannot_be_decoded_is_damage(notes: Notes) -> None:
    notes.add("{")
    with pytest.raises(UserError, match=r"note store .*intact SQLite file; write them again"):
        notes.decoded()


def test_a_missing_table_is_damage(notes: Notes) -> None:
    with closing(sqlite3.connect(notes.path)) as connection:
        connection.execute("DROP TABLE notes")
    with pytest.raises(UserError, match="no such table"):
        notes.decoded()


def test_a_writer_that_does_not_finish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_file, "BUSY_TIMEOUT_S", 0.05)
    path = tmp_path / "notes.sqlite"
    with Notes(path) as one, Notes(path) as two, one._transaction(), pytest.raises(UserError, match="end it"):
        two.add("1")


@pytest.mark.parametrize("size", [0, 1, 99])
def test_a_file_without_a_header_is_no_new_one(tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_file, "CREATION_S", 0.1)
    path = tmp_path / "notes.sqlite"
    path.write_bytes(bytes(size))
    with pytest.raises(UserError, match=f"got a file of {size} bytes; expected an intact SQLite file"):
        Notes(path)
    assert path.stat().st_size == size


def test_a_new_file_appears_with_its_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a process that is killed meanwhile would leave one without a header."""
    path = tmp_path / "notes.sqlite"

    def interrupted(new: Path, _: Path) -> None:
        with closing(sqlite3.connect(new)) as connection:
            assert connection.execute("SELECT count(*) FROM notes").fetchone() == (0,)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", interrupted)
        with pytest.raises(KeyboardInterrupt):
            Notes(path)
    assert list(tmp_path.iterdir()) == []
    with Notes(path) as opened:
        opened.add("1")
        assert opened.decoded() == [1]


def test_a_file_that_another_process_made_meanwhile_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, link = tmp_path / "notes.sqlite", os.link

    def late(new: Path, target: Path) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(os, "link", link)
            with Notes(path) as other:
                other.add("1")
        link(new, target)

    monkeypatch.setattr(os, "link", late)
    with Notes(path) as opened:
        assert opened.decoded() == [1]


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_: Path) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    with Notes(tmp_path / "notes.sqlite") as opened:
        opened.add("1")
        assert opened.decoded() == [1]
