"""Files from elsewhere: regular files of bounded size only."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from foundation.regular_file import RefusedFileError, open_regular, read_json, read_regular


def test_reads_a_file_and_a_link_to_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "file", limit=7) == b"content"
    assert read_regular(tmp_path / "link", limit=7) == b"content"


def test_a_file_above_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    with pytest.raises(RefusedFileError, match="has 7 bytes, more than 6"):
        read_regular(tmp_path / "file", limit=6)


def test_a_fifo_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(RefusedFileError, match="is not a regular file"):
        open_regular(tmp_path / "fifo", limit=10)


def test_a_device_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "endless").symlink_to("/dev/zero")
    with pytest.raises(RefusedFileError, match="is not a regular file"):
        read_regular(tmp_path / "endless", limit=10)


def test_a_link_is_refused_where_none_may_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(RefusedFileError, match="is a link"):
        read_regular(tmp_path / "link", limit=10, follow_links=False)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedFileError, match="is a folder"):
        read_regular(tmp_path, limit=10)


def test_a_missing_file_keeps_its_own_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "missing", limit=10)


def test_a_file_that_grows_past_the_limit_is_refused() -> None:
    # Files of /proc state a size of 0 whatever they hold.
    with pytest.raises(RefusedFileError, match="has more than 10 bytes"):
        read_regular(Path("/proc/self/status"), limit=10)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 100_000, "nested too deeply"),
        ("NaN", "not finite"),
        ("[-Infinity]", "not finite"),
        ('{"a": 1e999}', "not finite"),
        ("{", "Expecting"),
    ],
)
def test_json_that_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "file.json").write_text(text)
    with pytest.raises(ValueError, match=reason):
        read_json(tmp_path / "file.json")


def test_json_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file.json").write_bytes(b"\xff\xfe{\x00}\x00")
    with pytest.raises(ValueError, match="utf-8"):
        read_json(tmp_path / "file.json")


def test_json_is_read(tmp_path: Path) -> None:
    (tmp_path / "file.json").write_text('{"a": [1, 0.5]}')
    assert read_json(tmp_path / "file.json") == {"a": [1, 0.5]}
