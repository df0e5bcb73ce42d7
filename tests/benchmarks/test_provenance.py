"""Every result says by which commit it was produced."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def provenance(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The module, whose results are in a folder of the test."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import provenance

    (tmp_path / "results").mkdir()
    monkeypatch.setattr(provenance, "RESULTS", tmp_path / "results")
    return provenance


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    run = subprocess.run(["git", *identity, *words], cwd=folder, capture_output=True, text=True, check=True)
    return run.stdout.strip()


def test_the_commit_is_among_it_and_says_whether_code_was_changed(provenance: Any, tmp_path: Path) -> None:
    for path in (code := tmp_path / "code.py", result := tmp_path / "results" / "result.json"):
        path.write_text("1")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    commit = git(tmp_path, "rev-parse", "--short", "HEAD")
    result.write_text("2")
    assert provenance.provenance()["commit"] == commit
    code.write_text("2")
    assert provenance.provenance()["commit"] == f"{commit}+"


def test_without_a_repository_or_git_it_is_unknown(
    provenance: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert provenance.provenance()["commit"] == "unknown"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.provenance()["commit"] == "unknown"
