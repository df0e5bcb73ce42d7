"""A search that is killed goes on as if it had not been; ``benchmarks/kill_search.py`` does it at length."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_every_strategy_survives_a_kill(tmp_path: Path) -> None:
    words = ("--kills", "1", "--trials", "60", "--seed", "2", "--output", str(tmp_path / "kill.json"))
    script = str(ROOT / "benchmarks" / "kill_search.py")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, script, *words], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "kill.json").read_text())
    assert all(row["kills"] == 1 for row in document["rows"] if "not_run" not in row)
    assert {"evolution", "random"} <= {row["strategy"] for row in document["rows"] if "not_run" not in row}
    assert all(goal["met"] for goal in document["goals"])
