"""What all strategies that learn from a reward owe: known faults of such searches."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from statistics import mean

import pytest

from search.architecture import Architecture
from search.strategies.strategy import Strategy
from search.trial import Trial
from tests.search.strategies.landscapes import BUDGETS, SPACE, searched, slower, trials_of
from tests.search.toy import quality_of

REWARDED = ["reinforce", "ppo", "regularised-evolution:population=20,tournament=8"]
USELESS = 0.3
"""Quality of a net that has too few parameters to be of use."""


def with_options(text: str, options: str) -> str:
    return f"{text}{',' if ':' in text else ':'}{options}"


def proposed(strategy: Strategy) -> list[Trial]:
    """What the strategy would have evaluated next."""
    return trials_of(strategy.ask(40), quality_of, 99)


@pytest.mark.parametrize("text", REWARDED)
def test_the_one_slot_that_decides_reaches_the_proposals(text: str) -> None:
    """In other searches structure parameters were trained that no proposal was made of."""
    strategy, trials = searched(text, lambda architecture: (0.2, 0.9, 0.2)[architecture["size"]])
    assert mean(trial.architecture["size"] == 1 for trial in trials[:10]) <= 0.6
    assert mean(architecture["size"] == 1 for architecture in strategy.ask(40)) > 0.7


@pytest.mark.parametrize("cost", ["latency", "parameters", "flops"])
@pytest.mark.parametrize("text", REWARDED)
def test_the_exponent_of_a_cost_changes_what_is_proposed(text: str, cost: str) -> None:
    """In other searches the penalty had no gradient."""

    def costs(options: str) -> float:
        found = proposed(searched(with_options(text, f"useful=0,{options}"), quality_of)[0])
        return mean({"latency": t.upper_ms["toy"], "parameters": t.parameters, "flops": t.flops}[cost] for t in found)

    assert costs(f"{cost}=0.6") < 0.7 * costs(f"{cost}=0")


def two_kinds(architecture: Architecture) -> float:
    """Only with 25,000 parameters is a net of use."""
    return 0.8 if SPACE.parameters(architecture) >= 25_000 else USELESS


@pytest.mark.parametrize("text", REWARDED)
def test_only_without_the_guard_a_strategy_collapses_to_cheap_useless_nets(text: str) -> None:
    def useful(options: str) -> float:
        found = [searched(with_options(text, f"parameters=0.6{options}"), two_kinds, seed=seed)[0] for seed in (0, 1)]
        return mean(two_kinds(architecture) > USELESS for strategy in found for architecture in strategy.ask(40))

    assert mean(two_kinds(architecture) > USELESS for architecture in SPACE.sample(100, Random(0))) < 0.2
    assert useful(",useful=0") < 0.1
    assert useful("") > 0.4


@pytest.mark.parametrize("text", REWARDED)
def test_bounds_that_were_predicted_again_are_learned_again(text: str) -> None:
    strategy, trials = searched(with_options(text, "latency=0.6"), quality_of, generations=6)
    unchanged, _ = searched(with_options(text, "latency=0.6"), quality_of, generations=6)
    resumed, _ = searched(with_options(text, "latency=0.6"), quality_of, generations=0)
    strategy.tell(slower(trials))
    resumed.tell(slower(trials))
    proposals = strategy.ask(10)
    assert proposals == resumed.ask(10)
    assert proposals != unchanged.ask(10)


@pytest.mark.parametrize("text", REWARDED)
def test_other_budgets_are_other_targets(text: str) -> None:
    strategy, _ = searched(with_options(text, "latency=0.6"), quality_of, generations=6)
    resumed, trials = searched(with_options(text, "latency=0.6"), quality_of, generations=6)
    tighter = replace(BUDGETS, latencies=(replace(BUDGETS.latencies[0], maximum_ms=3.0),))
    for each in (strategy, resumed):
        each.constrain(tighter)
    resumed.tell(trials)
    assert strategy.ask(10) == resumed.ask(10)
