"""Budgets on several devices at once, tested on the upper bound."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from random import Random

import pytest

from foundation.errors import UserError
from latency.operators.operator import OperatorGraph
from search.constraints.budgets import Budgets, ConstraintCheck, LatencyBudget, ParameterBudget, collector_paused
from search.constraints.feasibility import feasibility
from search.constraints.infeasible import InfeasibleError, require_feasible
from tests.search.toy import Bounded, FormulaPredictor, ToySpace

SPACE = ToySpace()
FAST, SLOW = FormulaPredictor(), FormulaPredictor(ms_per_operator=0.4)


class CountingPredictor(FormulaPredictor):
    calls: list[int] = []  # noqa: RUF012

    def predict(self, graphs: Sequence[OperatorGraph]) -> list[Bounded]:
        self.calls.append(len(graphs))
        return super().predict(graphs)


def test_checks_agree_with_the_formula_on_every_budget() -> None:
    budgets = Budgets(ParameterBudget(8000), (LatencyBudget("fast", 2.0, FAST), LatencyBudget("slow", 4.0, SLOW)))
    architectures = SPACE.sample(200, Random(0))
    seen: set[str] = set()
    for architecture, check in zip(architectures, budgets.check_many(SPACE, architectures), strict=True):
        graph = SPACE.lower(architecture)
        too_big = SPACE.plan(architecture).parameters() > 8000
        assert check.architecture == architecture
        if too_big:
            assert check.violated == ("parameters",)
        else:
            over = {"latency:fast": FAST.true_ms(graph) * 1.05 > 2, "latency:slow": SLOW.true_ms(graph) * 1.05 > 4}
            assert check.violated == tuple(name for name, holds in over.items() if holds)
            assert check.flops == graph.flops
        seen |= set(check.violated)
    assert seen == {"parameters", "latency:fast", "latency:slow"}


def test_the_bound_decides_and_not_the_prediction() -> None:
    architecture = SPACE.sample(1, Random(3))[0]
    likely = FAST.true_ms(SPACE.lower(architecture))
    between = Budgets(None, (LatencyBudget("toy", likely * 1.02, FAST),))
    check = between.check_many(SPACE, [architecture])[0]
    assert check.predicted_ms["toy"] < between.latencies[0].maximum_ms
    assert check.violated == ("latency:toy",)


def test_one_batched_prediction_of_what_is_small_enough() -> None:
    predictor = CountingPredictor()
    predictor.calls.clear()
    budgets = Budgets(ParameterBudget(2000), (LatencyBudget("toy", 2.0, predictor),))
    checks = budgets.check_many(SPACE, SPACE.sample(100, Random(0)))
    assert predictor.calls == [sum("parameters" not in check.violated for check in checks)]
    assert 0 < predictor.calls[0] < 100


def test_nothing_to_check() -> None:
    assert Budgets(ParameterBudget(10)).check_many(SPACE, []) == []


def test_excess_adds_up_the_relative_overruns() -> None:
    budgets = Budgets(ParameterBudget(100), (LatencyBudget("a", 2.0, FAST), LatencyBudget("b", 4.0, FAST)))
    assert budgets.excess(150, {"a": 3.0, "b": 1.0}) == pytest.approx(0.5 + 0.5)
    assert budgets.excess(100, {"a": 2.0, "b": 4.0}) == 0.0
    assert budgets.latency_ratio({"a": 1.0, "b": 3.0}) == 0.75


def test_a_net_at_its_limits_is_kept_and_one_above_is_not() -> None:
    budgets = Budgets(ParameterBudget(100), (LatencyBudget("a", 2.0, FAST),))
    assert budgets.violated(100, {"a": 2.0}) == ()
    assert budgets.violated(101, {"a": 2.001}) == ("parameters", "latency:a")
    architecture = SPACE.sample(1, Random(4))[0]
    size = SPACE.parameters(architecture)
    for maximum, feasible in ((size, True), (size - 1, False)):
        for predict_all in (False, True):
            (check,) = Budgets(ParameterBudget(maximum)).check_many(SPACE, [architecture], predict_all=predict_all)
            assert check.feasible == feasible


def test_the_worst_ratio_is_that_of_size_or_latency() -> None:
    latencies = (LatencyBudget("a", 2.0, FAST), LatencyBudget("b", 4.0, FAST))
    budgets, architecture = Budgets(ParameterBudget(100), latencies), SPACE.sample(1, Random(4))[0]
    assert budgets.worst_ratio(ConstraintCheck(architecture, 50)) == 0.5
    assert budgets.worst_ratio(ConstraintCheck(architecture, 50, upper_ms={"a": 1.5, "b": 1.0})) == 0.75
    assert budgets.worst_ratio(ConstraintCheck(architecture, 90, upper_ms={"a": 1.5, "b": 1.0})) == 0.9
    assert Budgets(None, latencies).worst_ratio(ConstraintCheck(architecture, 90, upper_ms={"a": 1.5, "b": 1})) == 0.75
    assert Budgets(None, latencies).ratios(90, {"a": 1.0, "b": 1.0}) == {"latency:a": 0.5, "latency:b": 0.25}
    assert Budgets().worst_ratio(ConstraintCheck(architecture, 90)) == Budgets().latency_ratio({}) == 0.0


@pytest.mark.parametrize("maximum", [0, -5, float("nan")])
def test_budgets_are_positive(maximum: float) -> None:
    with pytest.raises(UserError, match=r"latency budget for cpu: got .*8ms") as refused:
        LatencyBudget("cpu", maximum, FAST)
    assert refused.value.exit_code == 2
    with pytest.raises(UserError, match=r"^parameter budget: got .*0\.4M"):
        ParameterBudget(maximum)  # type: ignore[arg-type]


def test_one_budget_for_each_device() -> None:
    with pytest.raises(UserError, match="one budget for each device"):
        Budgets(None, (LatencyBudget("cpu", 1.0, FAST), LatencyBudget("cpu", 2.0, FAST)))


def test_the_collector_runs_afterwards() -> None:
    assert gc.isenabled()
    with collector_paused(), collector_paused():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_the_collector_runs_after_an_error() -> None:
    with pytest.raises(ValueError, match="broken"), collector_paused():
        raise ValueError("broken")
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with collector_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.parametrize("bound", [float("nan"), float("-inf"), -1.0, 0.0])
def test_a_bound_that_is_no_positive_number_keeps_no_budget(bound: float) -> None:
    class Broken(FormulaPredictor):
        def predict(self, graphs: Sequence[OperatorGraph]) -> list[Bounded]:
            return [Bounded(bound, bound) for _ in graphs]

    budgets = Budgets(None, (LatencyBudget("toy", 1e9, Broken()),))
    (check,) = budgets.check_many(SPACE, SPACE.sample(1, Random(0)))
    assert check.violated == ("latency:toy",)
    assert budgets.worst_ratio(check) > 1
    assert budgets.excess(check.parameters, {"toy": bound}) > 0
    assert budgets.violated(check.parameters, {"toy": bound}) == ("latency:toy",)
    found = feasibility(SPACE, budgets, seed=0)
    with pytest.raises(InfeasibleError, match="no finite bound on toy"):
        require_feasible(budgets, found)
