"""Aging evolution: the oldest trial dies, not the worst.

Real, Aggarwal, Huang, Le, "Regularized Evolution for Image Classifier Architecture Search", AAAI 2019, algorithm 1.
"""

from __future__ import annotations

from random import Random
from typing import Annotated

from pydantic import Field
from typing_extensions import override

from search.architecture import Architecture
from search.constraints.budgets import Budgets
from search.rewards import Reward, RewardOptions
from search.spaces.space import SearchSpace
from search.strategies.strategy import Strategy

_TRIES = 20
"""Children for each one that is wanted, before fewer are proposed."""


class RegularisedEvolution(Strategy):
    """Mutates the best of ``tournament`` random members of the population, which is the last ``population`` trials.

    The first ``population`` trials are a stratified sample. The children of one generation have the same population;
    with ``generation_size=1`` it is the algorithm of the paper.

    Args:
        space: to search in.
        budgets: that the result must keep.
        seed: of everything random.
        **options: as in ``Options``.
    """

    name = "regularised-evolution"

    class Options(RewardOptions):
        """Options of the strategy."""

        population: Annotated[int, Field(ge=2)] = 32
        tournament: Annotated[int, Field(ge=1)] = 8
        """Members of the population that are compared; all of them where there are fewer."""
        generation_size: Annotated[int, Field(ge=1)] = 8

    def __init__(self, space: SearchSpace, budgets: Budgets, *, seed: int = 0, **options: float) -> None:
        super().__init__(space, budgets, seed=seed)
        self.options = self.Options.model_validate(options)
        self.generation_size = self.options.generation_size

    @override
    def _propose(self, count: int, rng: Random) -> list[Architecture]:
        if len(self._trials) < self.options.population:
            return self.space.sample(2 * count, rng)
        rewards = self._rewards()
        known = set(self._trials) | self._proposed
        children: dict[Architecture, None] = {}
        for _ in range(_TRIES * count):
            if len(children) >= count:
                break
            child = self.space.mutate(self._parent(rewards, rng), rng)
            if child not in known:
                children[child] = None
        return list(children)

    def _rewards(self) -> dict[Architecture, float]:
        """Of the population."""
        trials = list(self._trials.values())
        reward = Reward.of_run(trials, self.budgets, self.options)
        return {trial.architecture: reward.of(trial) for trial in trials[-self.options.population :]}

    def _parent(self, rewards: dict[Architecture, float], rng: Random) -> Architecture:
        members = rng.sample(list(rewards), min(self.options.tournament, len(rewards)))
        return max(members, key=rewards.__getitem__)
