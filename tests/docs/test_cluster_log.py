"""The lines of the log of a killed machine are those of ``benchmarks/results/cluster.json``."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_its_lines_are_those_of_the_file() -> None:
    log = json.loads((ROOT / "benchmarks" / "results" / "cluster.json").read_text())["log"]
    page = (ROOT / "docs" / "cluster.md").read_text().split("### A machine that was killed")[1]
    shown = page.split("```")[1].strip("\n").splitlines()
    patterns = [re.escape(line).replace(re.escape(", ... "), ".*, ") for line in shown]
    assert len(shown) > 5
    for pattern, line in zip(patterns, shown, strict=True):
        assert sum(bool(re.fullmatch(pattern, known)) for known in log) == 1, line
