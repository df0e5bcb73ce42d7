"""Aging evolution, and what its options do."""

from __future__ import annotations

import pytest

from search.architecture import Architecture
from search.strategies.registry import make_strategy
from search.strategies.regularised_evolution import RegularisedEvolution
from search.trial import Trial
from tests.search.strategies.landscapes import BUDGETS, SPACE, trials_of
from tests.search.strategies.test_evolution_options import RecordingSpace


def rising(count: int) -> list[Trial]:
    """Trials each of which is worse than the one before."""
    architectures = make_strategy("random", SPACE, BUDGETS).ask(count)
    return trials_of(architectures, lambda architecture: 1.0 - architectures.index(architecture) / count, 0)


def parents(**options: int) -> list[Architecture]:
    """From which architectures forty proposals descend after sixty trials."""
    space = RecordingSpace()
    strategy = RegularisedEvolution(space, BUDGETS, seed=1, **options)
    strategy.tell(rising(60))
    assert len(strategy.ask(40)) == 40
    return space.parents


def test_the_oldest_die_however_good_they_are() -> None:
    architectures = [trial.architecture for trial in rising(60)]
    assert set(parents(population=20, tournament=20)) == {architectures[40]}
    assert set(parents(population=10, tournament=1)) == set(architectures[50:])


def test_a_larger_tournament_takes_better_parents() -> None:
    architectures = [trial.architecture for trial in rising(60)]
    positions = [
        sum(map(architectures.index, found)) / len(found)
        for found in (parents(population=20, tournament=size) for size in (1, 5, 20))
    ]
    assert positions[0] > positions[1] + 2 > positions[2] + 2


def test_a_tournament_of_more_than_the_population_takes_all_of_it() -> None:
    assert parents(population=20, tournament=50) == parents(population=20, tournament=20)


def test_until_the_population_is_full_nets_are_sampled() -> None:
    space = RecordingSpace()
    strategy = RegularisedEvolution(space, BUDGETS, population=20)
    for count, descend in ((19, False), (20, True)):
        strategy.tell(rising(count))
        assert strategy.ask(4)
        assert bool(space.parents) == descend


@pytest.mark.parametrize("name", ["regularised-evolution", "reinforce", "ppo"])
def test_generation_size(name: str) -> None:
    assert make_strategy(f"{name}:generation_size=3", SPACE, BUDGETS).generation_size == 3
