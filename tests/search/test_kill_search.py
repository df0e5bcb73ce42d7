"""A search that is killed goes on as if it had not been; ``benchmarks/kill_search.py`` does it at length."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from search.strategies.registry import STRATEGIES
from tests.search.strategies.gates_task import QUICK

ROOT = Path(__file__).parents[2]


@pytest.mark.long
def test_every_strategy_survives_a_kill(tmp_path: Path) -> None:
    quick = {"proxyless": f":{QUICK},updates=2", "sgas": f":{QUICK},delay=1,every=1"}
    strategies = [name + quick.get(name, "") for name in STRATEGIES.builtin]
    words = ("--kills", "1", "--trials", "60", "--seed", "2", "--output", str(tmp_path / "kill.json"))
    words += ("--strategies", ";".join(strategies))
    script = str(ROOT / "benchmarks" / "kill_search.py")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, script, *words], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "kill.json").read_text())
    assert [(row["strategy"], row.get("kills")) for row in document["rows"]] == [(name, 1) for name in strategies]
    assert all(goal["met"] for goal in document["goals"])
