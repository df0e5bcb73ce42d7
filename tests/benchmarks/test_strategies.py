"""The benchmark of strategies counts what its samplers propose, and says what chance explains."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from search.constraints.feasible_sampler import feasible_sampler


@pytest.fixture
def strategies(benchmark_of: Callable[[str], Any]) -> Any:
    return benchmark_of("strategies")


@pytest.fixture
def summaries(strategies: Any) -> Any:
    import strategies_summary

    return strategies_summary


def searches(*qualities: float | None, volume: float = 0.5) -> list[dict[str, Any]]:
    """Rows of the seeds from 0; None where the strategy was refused."""
    made = {"usable_share": 1.0, "evaluations": 3, "hypervolume": volume, "course": [[1, 0.0, 0.0]]}
    return [{"refused": "why"} if value is None else made | {"best_quality": value} for value in qualities]


def test_proposals_above_a_budget_are_counted_and_not_evaluated(strategies: Any, tmp_path: Path) -> None:
    problem = strategies.Problem.make(max_ms=2.0, max_parameters=300_000, trials=4, folder=tmp_path)
    problem.evaluator.prepare(feasible_sampler(problem.space, problem.budgets))
    early, late, told = strategies.without_repair(problem, "random", 0).values()
    assert early["proposals"] == 4
    assert late["evaluations"] == 4
    assert early["evaluations"] < 4 < late["proposals"] <= 40
    assert late["usable_share"] == 4 / late["proposals"]
    assert 0 <= early["best_quality"] <= late["best_quality"] <= 1
    assert early["hypervolume"] <= late["hypervolume"] < late["best_quality"]
    assert told["evaluations"] == told["proposals"] == 4, "with constraints every proposal is evaluated"
    assert {key: told[key] for key in ("best_quality", "hypervolume", "usable_share")} == {
        key: early[key] for key in ("best_quality", "hypervolume", "usable_share")
    }, "the same proposals of a sampler that learns nothing"


def test_means_intervals_and_goals(summaries: Any) -> None:
    found = summaries.summary(searches(0.5, 0.6, 0.7))
    low, high = found["best_quality_interval"]
    assert found["best_quality"] == 0.6
    assert 0.5 <= low < 0.6 < high <= 0.7
    assert "course" not in found
    worse = found | {"best_quality": 0.55}
    rows = {"evolution": found, "random": worse, "optuna:tpe without repair": {"best_quality": 0.61}}
    assert [goal["met"] for goal in summaries.goals(rows, ["evolution"])] == [True, True, True, False]
    assert [goal["met"] for goal in summaries.goals(rows, ["optuna:tpe without repair"])] == [True, True, False, False]
    assert not summaries.goals({"random": found | {"usable_share": 0.9}}, [])[0]["met"]


def test_differences_are_those_of_the_seeds_that_both_have(summaries: Any) -> None:
    rows = {"random": searches(0.1, 0.5, 0.6, 0.7), "a": searches(None, 0.7, 0.7, 0.7), "b": searches(0.5)}
    (found,) = summaries.paired(rows, "random").items()
    name, measures = found
    assert name == "a"
    assert measures["hypervolume"] == {"difference": 0, "interval": [0, 0]}
    assert measures["best_quality"]["difference"] == pytest.approx(0.1)
    half = 4.302653 * 0.1 / 3**0.5
    """Student's t of 97.5 % with two degrees of freedom."""
    assert measures["best_quality"]["interval"] == pytest.approx([0.1 - half, 0.1 + half], abs=1e-5)


def test_only_what_is_above_both_baselines_is_beyond_chance(summaries: Any) -> None:
    low, middle, high = (searches(*(base + 0.01 * i for i in range(5))) for base in (0.1, 0.5, 0.9))
    rows = {"random": low, "optuna:random": middle, "best": high, "between": searches(*[0.3] * 5)}
    found = summaries.summarised(rows)
    assert found["above_both_baselines"] == {"best_quality": ["best"], "hypervolume": []}
    assert {goal["what"]: goal["value"] for goal in found["goals"]}[
        "strategies better than both that learn nothing, beyond chance"
    ] == 1
    del rows["optuna:random"]
    assert summaries.summarised(rows)["above_both_baselines"]["best_quality"] == []


def test_a_summary_of_the_rows_needs_no_search(
    strategies: Any, summaries: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {"random": searches(0.1, 0.2), "evolution": searches(0.4, 0.5)}
    path = tmp_path / "strategies.json"
    path.write_text(json.dumps({"command": "as it was", "summary": {}, "rows": rows}))
    monkeypatch.setattr(sys, "argv", ["strategies.py", "--summarise", "--output", str(path)])
    monkeypatch.delattr(strategies, "Problem")
    strategies.main()
    assert json.loads(path.read_text()) == {"command": "as it was", "rows": rows, **summaries.summarised(rows)}


def test_every_strategy_takes_part_by_default(strategies: Any) -> None:
    names = strategies.default_strategies()
    assert {"evolution", "random", "optuna:tpe"} <= set(names)
    assert not {"optuna", "optuna:gp"} & set(names)
