"""A few damaged workspaces of the fuzzer, in a process of its own: torch must not compute in the one that splits."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
CASES = 30


@pytest.mark.long
def test_damage_is_refused_or_told(finished: Path, tmp_path: Path) -> None:
    result = tmp_path / "fuzz.json"
    words = ["--workspaces", str(CASES), "--quick", "--workspace", str(finished), "--result", str(result)]
    ran = subprocess.run(
        [sys.executable, str(BENCHMARKS / "fuzz.py"), *words], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(result.read_text())["targets"]["workspace"]
    assert found["faults"] == []
    assert found["cases"] == CASES
    assert found["outcomes"]["refused"] > CASES / 3
