"""Every ``latseg`` command line in README and the guides names a command and options that exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from latseg import cli

ROOT = Path(__file__).parents[2]
_LINE = re.compile(r"^ *(?:\$ )?(latseg [-a-z].*)$|`(latseg [-a-z][^`]*)`", re.MULTILINE)


def command_lines() -> Iterator[tuple[str, str]]:
    """Page and command line, without comments; ``latseg --workspace DIR COMMAND`` is left out."""
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for found in _LINE.finditer(path.read_text()):
            for line in (found[1] or found[2]).split("&&"):
                if "COMMAND" not in line:
                    yield path.name, line.split(" #")[0].strip()


@pytest.mark.parametrize(("page", "line"), dict.fromkeys(command_lines()))
def test_its_command_and_options_exist(page: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = shlex.split(line)[1:]
    assert cli.run([*words, "--help"]) == 0, f"{page}: {capsys.readouterr().err}"


def test_command_lines_are_found() -> None:
    assert {"README.md", "index.md", "searching.md", "exporting.md"} <= {page for page, _ in command_lines()}
