"""The benchmark of strategies counts what its samplers propose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from search.constraints.feasible_sampler import feasible_sampler

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def strategies(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import strategies

    return strategies


def test_proposals_above_a_budget_are_counted_and_not_evaluated(strategies: Any, tmp_path: Path) -> None:
    problem = strategies.Problem.make(max_ms=2.0, max_parameters=300_000, trials=4, folder=tmp_path)
    problem.evaluator.prepare(feasible_sampler(problem.space, problem.budgets))
    early, late = strategies.without_repair(problem, "random", 0)
    assert early["proposals"] == 4
    assert late["evaluations"] == 4
    assert early["evaluations"] < 4 < late["proposals"] <= 40
    assert late["usable_share"] == 4 / late["proposals"]
    assert 0 <= early["best_quality"] <= late["best_quality"] <= 1
    assert early["hypervolume"] <= late["hypervolume"] < late["best_quality"]


def test_means_intervals_and_goals(strategies: Any) -> None:
    rows = [{"best_quality": value, "usable_share": 1.0, "evaluations": 3} for value in (0.5, 0.6, 0.7)]
    found = strategies.summary(rows)
    low, high = found["best_quality_interval"]
    assert found["best_quality"] == 0.6
    assert 0.5 <= low < 0.6 < high <= 0.7
    worse = found | {"best_quality": 0.55}
    goals = strategies.goals({"evolution": found, "random": worse, "optuna:tpe without repair": {"best_quality": 0.61}})
    assert [goal["met"] for goal in goals] == [True, True, False]
    assert not strategies.goals({"random": found | {"usable_share": 0.9}})[0]["met"]


def test_every_strategy_takes_part_by_default(strategies: Any) -> None:
    names = strategies.default_strategies()
    assert {"evolution", "random", "optuna:tpe"} <= set(names)
    assert not {"optuna", "optuna:gp"} & set(names)
