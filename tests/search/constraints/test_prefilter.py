from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np

from latency.operators.operator import OperatorGraph
from search.constraints.budgets import Budgets, LatencyBudget
from search.constraints.check import latency_constraint
from search.constraints.feasibility import feasibility
from search.constraints.feasible_sampler import feasible_sampler
from search.constraints.prefilter import LEAST_VERDICTS, AdditivePrefilter
from search.constraints.repair import repair
from tests.search.toy import Bounded, FormulaPredictor, ToySpace

SPACE = ToySpace()
OPEN = Budgets(None, (LatencyBudget("a", 1e9, FormulaPredictor()),))


def learned(count: int = 800) -> AdditivePrefilter:
    found = AdditivePrefilter.learn(OPEN.check_many(SPACE, SPACE.sample(count, Random(1))))
    assert found is not None
    return found


def test_rules_out_many_hopeless_nets_and_next_to_no_feasible_one() -> None:
    prefilter = learned()
    others = OPEN.check_many(SPACE, SPACE.sample(3000, Random(2)))
    limit = float(np.quantile([verdict.upper_ms["a"] for verdict in others], 0.2))
    budgets = Budgets(None, (LatencyBudget("a", limit, FormulaPredictor()),))
    ruled_out = prefilter.ruled_out([verdict.architecture for verdict in others], budgets)
    slow = [verdict.upper_ms["a"] > limit for verdict in others]
    assert sum(bool(names) for names in ruled_out) > 0.3 * sum(slow)
    wrong = sum(bool(names) and not its for names, its in zip(ruled_out, slow, strict=True))
    assert wrong <= 10  # 1 in 801 on average, at any budget
    assert {name for names in ruled_out for name in names} == {latency_constraint("a")}


def test_a_margin_rules_out_more() -> None:
    prefilter, nets = learned(), SPACE.sample(500, Random(3))
    limit = float(np.median([verdict.upper_ms["a"] for verdict in OPEN.check_many(SPACE, nets)]))
    budgets = Budgets(None, (LatencyBudget("a", limit, FormulaPredictor()),))
    one, two = (sum(map(bool, prefilter.ruled_out(nets, each))) for each in (budgets, budgets.tightened({"a": 2.0})))
    assert two > one


def test_a_choice_that_was_never_met_is_no_error() -> None:
    small = [net for net in SPACE.sample(2000, Random(4)) if net["size"] == 0]
    prefilter = AdditivePrefilter.learn(OPEN.check_many(SPACE, small))
    assert prefilter is not None
    assert np.isfinite(prefilter.least_ms(SPACE.sample(50, Random(5)))).all()


def test_few_verdicts_teach_nothing() -> None:
    assert AdditivePrefilter.learn(OPEN.check_many(SPACE, SPACE.sample(LEAST_VERDICTS - 1, Random(1)))) is None
    assert learned().ruled_out([], OPEN) == []


def test_repair_finds_its_way_with_fewer_checks() -> None:
    counted = _Counting()
    budgets = Budgets(None, (LatencyBudget("a", 0.6, counted),))
    verdicts = budgets.check_many(SPACE, SPACE.sample(200, Random(2)))
    checks = []
    for prefilter in (None, learned()):
        counted.graphs = 0
        found = repair(SPACE, budgets, verdicts, Random(0), prefilter=prefilter)
        checks.append(counted.graphs)
        assert all(verdict is not None and verdict.feasible for verdict in found)
    assert checks[1] < checks[0]


def test_feasibility_learns_it_and_samplers_use_it() -> None:
    budgets = Budgets(None, (LatencyBudget("a", 0.6, FormulaPredictor()),))
    found = feasibility(SPACE, budgets, samples=300)
    assert found.prefilter is not None
    sampled = feasible_sampler(SPACE, budgets, prefilter=found.prefilter)(20, Random(0))
    assert len(sampled) == 20
    assert all(verdict.feasible for verdict in budgets.check_many(SPACE, sampled))


class _Counting:
    """Counts the graphs that it is asked about."""

    graphs = 0

    def predict(self, graphs: Sequence[OperatorGraph]) -> list[Bounded]:
        self.graphs += len(graphs)
        return FormulaPredictor().predict(graphs)
