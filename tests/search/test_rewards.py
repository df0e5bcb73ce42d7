"""The reward: its formula, its targets, its guard."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from foundation.errors import UserError
from search.architecture import Architecture
from search.constraints.budgets import Budgets, LatencyBudget, ParameterBudget
from search.rewards import Limits, Reward, RewardOptions
from search.strategies.registry import STRATEGIES
from search.trial import Trial
from tests.search.toy import FormulaPredictor

TRIAL = Trial(
    architecture=Architecture("toy", ()),
    generation=0,
    parameters=100,
    flops=3_000,
    predicted_ms={"one": 1.0, "two": 1.0},
    upper_ms={"one": 2.0, "two": 1.0},
    quality=0.5,
    seconds=0.0,
    created="",
)
BUDGETS = Budgets(
    ParameterBudget(400),
    (LatencyBudget("one", 10.0, FormulaPredictor()), LatencyBudget("two", 2.0, FormulaPredictor())),
)


def reward(trial: Trial = TRIAL, budgets: Budgets = BUDGETS, **options: float) -> float:
    return Reward.of_run([TRIAL], budgets, RewardOptions(**{"useful": 0.0, **options})).of(trial)


def test_without_exponents_it_is_the_quality() -> None:
    assert reward() == 0.5
    assert reward(budgets=Budgets(), latency=0.3, parameters=0.6) == 0.5


def test_each_cost_has_its_exponent_and_its_target() -> None:
    assert reward(parameters=0.3) == pytest.approx(0.5 * (100 / 400) ** -0.3)
    assert reward(latency=0.6) == pytest.approx(0.5 * (1.0 / 2.0) ** -0.6), "the worst device counts"
    assert reward(replace(TRIAL, flops=6_000), flops=0.3) == pytest.approx(0.5 * 2.0**-0.3)
    assert reward(parameters=0.3, latency=0.6) == pytest.approx(0.5 * 0.25**-0.3 * 0.5**-0.6)


def test_flops_are_compared_with_the_largest_of_the_first_generation() -> None:
    trials = [replace(TRIAL, generation=g, flops=f) for g, f in ((4, 9_000), (2, 1_000), (2, 4_000))]
    assert Reward.of_run(trials, BUDGETS, RewardOptions()).flops_target == 4_000


def test_a_useless_net_is_punished_for_high_costs_and_not_rewarded_for_low_ones() -> None:
    cheap, expensive = replace(TRIAL, parameters=4), replace(TRIAL, parameters=800)
    for useful in (0.5, 1.0):
        assert reward(cheap, parameters=0.6, useful=useful) == 0.5
        assert reward(expensive, parameters=0.6, useful=useful) == pytest.approx(0.5 * 2.0**-0.6)
    for useful in (0.0, 0.49):
        assert reward(cheap, parameters=0.6, useful=useful) == pytest.approx(0.5 * 0.01**-0.6)


def test_useful_is_by_default_what_half_of_the_first_generation_reaches() -> None:
    trials = [replace(TRIAL, generation=g, quality=q) for g, q in ((1, 0.2), (1, 0.4), (1, 0.9), (2, 0.95), (3, 0.96))]
    assert Reward.of_run(trials, BUDGETS, RewardOptions()).useful == 0.4
    assert Reward.of_run(trials, BUDGETS, RewardOptions(useful=0.7)).useful == 0.7


def test_it_is_finite_whatever_a_net_costs() -> None:
    nothing = replace(TRIAL, parameters=0, flops=0)
    assert 0.5 < reward(nothing, parameters=0.6, flops=0.6) < math.inf
    assert Reward.of_run([nothing], BUDGETS, RewardOptions(flops=0.6)).of(nothing) < math.inf
    assert reward(replace(TRIAL, upper_ms={"one": math.inf, "two": 1.0}), latency=0.3) == 0.0


@pytest.mark.parametrize("wrong", ["latency=-0.1", "flops=nan", "parameters=3", "useful=1.5"])
@pytest.mark.parametrize("name", ["ppo", "reinforce", "regularised-evolution"])
def test_exponents_are_not_negative_and_qualities_at_most_one(name: str, wrong: str) -> None:
    with pytest.raises(UserError, match=wrong.partition("=")[0]):
        STRATEGIES.parse(f"{name}:{wrong}")


@pytest.mark.parametrize(
    ("options", "counts"),
    [
        ({}, False),
        ({"useful": 0.5}, False),
        ({"flops": 0.1}, True),
        ({"latency": 0.3}, False),
        ({"parameters": 1}, True),
    ],
)
def test_a_reward_counts_where_a_cost_has_a_limit(options: dict[str, float], counts: bool) -> None:
    assert RewardOptions(**options).counts(Limits(parameters=100, latency_ms={})) == counts


def test_a_bound_that_is_no_positive_number_earns_least() -> None:
    odd = replace(TRIAL, upper_ms=dict.fromkeys(TRIAL.upper_ms, 0.0))
    reward = Reward.of_run([TRIAL], BUDGETS, RewardOptions(latency=0.5, useful=0.0))
    assert reward.of(odd) == 0
