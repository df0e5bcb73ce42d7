"""The goals of rewarded strategies are met only by what chance does not explain."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def rewarded(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import rewarded_strategies

    return rewarded_strategies


def row(strategy: str, *best: float) -> dict[str, Any]:
    return {"strategy": strategy, "runs": [{"best": value} for value in best]}


ROWS = [row("better", 0.5, 0.61, 0.7), row("luck", 0.4, 0.9, 0.55), row("random", 0.4, 0.5, 0.6)]


def test_a_better_mean_is_not_enough(rewarded: Any) -> None:
    found = rewarded.summarised(ROWS)
    assert found["paired"]["luck"]["difference"] > found["paired"]["better"]["difference"] > 0
    assert [(goal["met"], goal["value"] > 0) for goal in found["goals"]] == [(True, True), (False, False)]
    assert rewarded.summarised(ROWS[:2]) == {"paired": {}, "goals": []}


def test_a_summary_of_the_rows_needs_no_search(rewarded: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rewarded.json"
    path.write_text(json.dumps({"command": "as it was", "goals": [], "rows": ROWS}))
    monkeypatch.setattr(sys, "argv", ["rewarded_strategies.py", "--summarise", "--output", str(path)])
    monkeypatch.delattr(rewarded, "row_of")
    rewarded.main()
    assert json.loads(path.read_text()) == {"command": "as it was", "rows": ROWS, **rewarded.summarised(ROWS)}
