"""Feasibility against an exhaustive walk; repair; the sampler."""

from __future__ import annotations

from random import Random

import pytest

from search.architecture import Architecture
from search.constraints.budgets import Budgets, LatencyBudget, ParameterBudget
from search.constraints.feasibility import feasibility
from search.constraints.feasible_sampler import feasible_sampler
from search.constraints.infeasible import InfeasibleError, require_feasible
from search.constraints.repair import repair
from search.proposals import propose
from search.strategies.strategy import Strategy
from tests.search.toy import FormulaPredictor, ToySpace

SPACE = ToySpace()
P = FormulaPredictor()
OPEN = Budgets(None, (LatencyBudget("toy", float("inf"), P),))


def budgets(parameters: int, *limits: float) -> Budgets:
    return Budgets(ParameterBudget(parameters), tuple(LatencyBudget(f"d{i}", ms, P) for i, ms in enumerate(limits)))


def test_fraction_and_ends_agree_with_the_sample() -> None:
    found = feasibility(SPACE, budgets(8000, 2.0), samples=800, seed=1)
    checks = OPEN.check_many(SPACE, SPACE.sample(800, Random(9)))
    fraction = sum(v.parameters <= 8000 and v.upper_ms["toy"] <= 2.0 for v in checks) / 800
    assert found.feasible_fraction == pytest.approx(fraction, abs=0.06)
    smallest = OPEN.check_many(SPACE, SPACE.smallest())[0]
    assert found.smallest.parameters == smallest.parameters
    assert found.smallest.latency_ms["d0"] == pytest.approx(smallest.upper_ms["toy"])
    assert found.largest.parameters > 50_000
    assert found.feasible
    require_feasible(budgets(8000, 2.0), found)


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        (budgets(100, 5.0), ["got 100 parameters", "250 parameters"]),
        (budgets(10_000, 0.2), ["got 0.2 ms on d0", "0.359 ms on d0"]),
        (budgets(10_000, 5.0, 0.2), ["got 0.2 ms on d1", "0.359 ms on d1"]),
        (budgets(100, 0.2), ["100 parameters and 0.2 ms", "250 parameters, 0.359 ms on d0"]),
    ],
)
def test_out_of_reach_names_the_budget_and_the_smallest_reachable_value(limits: Budgets, told: list[str]) -> None:
    with pytest.raises(InfeasibleError) as refused:
        require_feasible(limits, feasibility(SPACE, limits, samples=100))
    assert refused.value.exit_code == 3
    assert all(part in str(refused.value) for part in told), str(refused.value)
    assert "\n" not in str(refused.value)


class _Opposed(FormulaPredictor):
    """A device on which fewer operators take longer."""

    def true_ms(self, graph: object) -> float:
        return 20.0 / len(graph.operators)  # type: ignore[attr-defined]


OPPOSED = Budgets(None, (LatencyBudget("a", 1.6, P), LatencyBudget("b", 1.8, _Opposed())))


def test_budgets_that_are_out_of_reach_only_together() -> None:
    both = Budgets(None, (LatencyBudget("a", 0.6, P), LatencyBudget("b", 2.5, _Opposed())))
    with pytest.raises(InfeasibleError, match="budgets taken together") as refused:
        require_feasible(both, feasibility(SPACE, both, samples=300))
    assert "the closest net to all of them has" in str(refused.value)


def test_a_narrow_gap_between_opposed_budgets_is_found() -> None:
    """Not where going smaller leads: the net has to be deep and narrow."""
    for seed in (0, 1):
        assert feasibility(SPACE, OPPOSED, samples=40, seed=seed).feasible


def test_the_sampler_finds_nets_in_a_narrow_gap_by_mutating_a_known_one() -> None:
    anchor = feasibility(SPACE, OPPOSED, samples=40).closest.architecture
    without = feasible_sampler(SPACE, OPPOSED)(8, Random(0))
    found = feasible_sampler(SPACE, OPPOSED, anchors=[anchor])(8, Random(0))
    assert len(found) >= 6 > len(without)
    assert all(check.feasible for check in OPPOSED.check_many(SPACE, found))


class _Silent(Strategy):
    """Proposes nothing."""

    name = "silent"

    def _propose(self, count: int, rng: Random) -> list[Architecture]:
        return []


def test_proposals_in_a_narrow_gap_are_mutants_of_what_is_known() -> None:
    anchor = feasibility(SPACE, OPPOSED, samples=40).closest.architecture
    proposals = propose(_Silent(SPACE, OPPOSED), SPACE, OPPOSED, 6, known=[], anchors=[anchor], rng=Random(0))
    assert len(proposals.feasible) == 6
    assert all(check.feasible for check in proposals.feasible)
    nothing = propose(_Silent(SPACE, OPPOSED), SPACE, OPPOSED, 6, known=[], rng=Random(0))
    assert nothing.feasible == []


def test_the_samples_are_as_many_as_asked_for() -> None:
    assert feasibility(SPACE, budgets(8000, 2.0), samples=37).samples == 37


def test_follows_from_the_seed() -> None:
    one, two = (feasibility(SPACE, budgets(8000, 2.0), samples=100, seed=4) for _ in range(2))
    assert (one.feasible_fraction, one.smallest, one.closest) == (two.feasible_fraction, two.smallest, two.closest)


def test_repair_keeps_the_budgets_and_stays_close_to_them() -> None:
    limits = budgets(6000, 1.5)
    checks = limits.check_many(SPACE, SPACE.sample(150, Random(2)))
    repaired = repair(SPACE, limits, checks, Random(0))
    broken = [(old, new) for old, new in zip(checks, repaired, strict=True) if not old.feasible]
    assert len(broken) > 30
    shares = []
    for old, new in zip(checks, repaired, strict=True):
        assert new is not None
        assert limits.check_many(SPACE, [new.architecture])[0] == new
        assert new.feasible
        if old.feasible:
            assert new == old
        else:
            shares.append(max(limits.ratios(new.parameters, new.upper_ms).values()))
    assert sum(shares) / len(shares) > 0.6


def test_repair_leaves_room_for_chance() -> None:
    limits = budgets(6000, 1.5)
    largest = max(limits.check_many(SPACE, SPACE.sample(150, Random(2))), key=lambda check: check.parameters)
    results = [repair(SPACE, limits, [largest], Random(seed))[0] for seed in range(8)]
    assert len({check.architecture for check in results if check is not None}) > 3


def test_repair_gives_up_where_it_cannot() -> None:
    limits = budgets(100, 5.0)
    checks = limits.check_many(SPACE, SPACE.sample(5, Random(2)))
    assert repair(SPACE, limits, checks, Random(0)) == [None] * 5
    one_step = repair(SPACE, budgets(300, 5.0), checks, Random(0), steps=1, chunk=1)
    assert None in one_step


def test_the_sampler_gives_only_what_keeps_the_budgets() -> None:
    limits = budgets(4000, 1.0)
    found = feasible_sampler(SPACE, limits)(64, Random(0))
    assert len(set(found)) == 64
    assert all(check.feasible for check in limits.check_many(SPACE, found))


def test_the_sampler_ends_where_nothing_keeps_the_budgets() -> None:
    assert feasible_sampler(SPACE, budgets(100, 1.0))(4, Random(0)) == []
