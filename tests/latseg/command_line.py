"""Runs a command as a user does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from latseg import cli


def run(*words: str) -> int:
    return cli.run([*words])


def say(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = run(*words)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def document(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    code, out, err = say(capsys, *words, "--json", "--quiet")
    assert code == 0, err
    return json.loads(out)
