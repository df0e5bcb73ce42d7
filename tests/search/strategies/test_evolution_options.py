"""Every option of a strategy makes a difference."""

from __future__ import annotations

from random import Random

import pytest
from typing_extensions import override

from foundation.errors import UserError
from search.architecture import Architecture
from search.strategies.evolution import Evolution
from search.strategies.random_search import RandomSearch
from search.strategies.registry import make_strategy
from search.trial import Trial
from tests.search.strategies import test_strategies
from tests.search.strategies.test_strategies import toy_budgets
from tests.search.toy import ToySpace


class RecordingSpace(ToySpace):
    """Remembers from which architectures children descend, and how many are sampled."""

    def __init__(self) -> None:
        super().__init__()
        self.parents: list[Architecture] = []
        self.crossovers = 0
        self.sampled = 0

    @override
    def sample(self, count: int, rng: Random) -> list[Architecture]:
        self.sampled += count
        return super().sample(count, rng)

    @override
    def mutate(self, architecture: Architecture, rng: Random) -> Architecture:
        self.parents.append(architecture)
        return super().mutate(architecture, rng)

    @override
    def crossover(self, first: Architecture, second: Architecture, rng: Random) -> Architecture:
        self.crossovers += 1
        self.parents += [first, second]
        return super().crossover(first, second, rng)


def proposed(**options: float) -> tuple[RecordingSpace, Evolution, list[Architecture]]:
    """Forty proposals of a strategy that knows sixty trials."""
    space = RecordingSpace()
    strategy = Evolution(space, toy_budgets(), seed=3, **{"population": 8, "immigrants": 0.0, **options})
    strategy.tell(trials())
    space.sampled = 0
    return space, strategy, strategy.ask(40)


def trials() -> list[Trial]:
    return test_strategies.TestEvolution().evaluated(ToySpace().sample(60, Random(0)))


def test_population_is_the_number_of_parents_and_the_size_of_a_generation() -> None:
    for population, fewest in ((2, 2), (8, 4)):
        space, strategy, _ = proposed(population=population, crossover_rate=0.0, quality_share=1.0)
        assert strategy.generation_size == population
        assert fewest <= len(set(space.parents)) <= population
    assert make_strategy("evolution", ToySpace(), toy_budgets()).generation_size == 24


def test_crossover_rate() -> None:
    counts = [proposed(crossover_rate=rate)[0].crossovers for rate in (0.0, 0.3, 1.0)]
    assert counts[0] == 0
    assert counts[0] < counts[1] < counts[2]
    assert counts[2] >= 40


def test_immigrants_are_sampled() -> None:
    assert [proposed(immigrants=share)[0].sampled for share in (0.0, 0.1, 0.5)] == [0, 4, 20]


@pytest.mark.parametrize(("share", "pool"), [(0.0, 0), (1.0, 1)])
def test_quality_share_decides_from_which_trials_children_descend(share: float, pool: int) -> None:
    space, strategy, _ = proposed(quality_share=share, crossover_rate=0.0)
    pools = [{trial.architecture for trial in survivors} for survivors in strategy._survivors()]
    assert pools[0] != pools[1]
    assert set(space.parents) <= pools[pool]
    mixed = set(proposed(quality_share=0.5, crossover_rate=0.0)[0].parents)
    assert mixed - pools[0]
    assert mixed - pools[1]


def test_crowded_trials_survive_last() -> None:
    """One front: three equal neighbours in the middle and lonely trials around; two survivors less than trials."""
    budgets = toy_budgets()
    base = trials()
    positions = [0.0, 0.3, 0.50, 0.51, 0.52, 0.75, 1.0]
    line = [
        Trial(
            architecture=base[number].architecture,
            generation=0,
            parameters=100 + number,
            flops=1,
            predicted_ms={"toy": 1.0},
            upper_ms={"toy": 1.0 + position},
            quality=0.1 + 0.8 * position,
            seconds=0.0,
            created="",
        )
        for number, position in enumerate(positions)
    ]
    strategy = Evolution(ToySpace(), budgets, seed=0, population=6)
    strategy.tell(line)
    ranked, _ = strategy._survivors()
    assert line[3].architecture not in {trial.architecture for trial in ranked}


def test_random_search_has_a_generation_size_and_nothing_else() -> None:
    assert RandomSearch(ToySpace(), toy_budgets(), generation_size=5).generation_size == 5
    assert make_strategy("random:generation_size=9", ToySpace(), toy_budgets()).generation_size == 9
    with pytest.raises(UserError, match="generation_size"):
        make_strategy("random:population=9", ToySpace(), toy_budgets())
