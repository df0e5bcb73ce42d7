"""Commands that are killed at random moments, at the smallest size; ``benchmarks/kill.py`` does it at length."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "kill.py"


@pytest.mark.long
def test_profile_survives_kills(tmp_path: Path) -> None:
    words = ("--commands", "profile", "--kills", "1", "--terms", "1", "--seed", "3", "--output", str(tmp_path / "kill"))
    done = subprocess.run([sys.executable, str(SCRIPT), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "kill").read_text())
    assert document["failures"] == []
    assert [row["kills"] for row in document["rows"]] == [1, 1]
    assert all(goal["met"] for goal in document["goals"])
