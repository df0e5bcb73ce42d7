"""``-v``, ``-vv`` and ``--log-file``: on stderr and in a file, before and behind the command, never on stdout."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from latseg import cli
from latseg.logs import PACKAGES, logging_to


def emit_all() -> None:
    for package in PACKAGES:
        logger = logging.getLogger(f"{package}.part")
        logger.info("information of %s", package)
        logger.debug("detail of %s", package)


@pytest.mark.parametrize(("verbosity", "seen"), [(0, set()), (1, {"information"}), (2, {"information", "detail"})])
def test_levels(verbosity: int, seen: set[str], capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to(verbosity, None):
        emit_all()
    emit_all()
    captured = capsys.readouterr()
    assert captured.out == ""
    for word in ("information", "detail"):
        assert captured.err.count(word) == (len(PACKAGES) if word in seen else 0)


def test_a_file_gets_everything_and_is_appended_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        with logging_to(0, tmp_path / "log"):
            emit_all()
    assert (tmp_path / "log").read_text().count("detail") == 2 * len(PACKAGES)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("where", ["before", "behind"])
def test_options_of_the_command_line(where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["-vvv", "--json", f"--log-file={tmp_path / 'log'}"]
    words = [*options, "devices"] if where == "before" else ["devices", *options]
    assert cli.run(words) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)
    assert "DEBUG" in captured.err
    assert "DEBUG" in (tmp_path / "log").read_text()
    assert cli.run(["devices", "--quiet", "--log-file", str(tmp_path / "second")]) == 0
    assert "DEBUG" not in capsys.readouterr().err
    assert (tmp_path / "second").read_text()


def test_a_file_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["devices", "--log-file", str(tmp_path / "no" / "log")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
