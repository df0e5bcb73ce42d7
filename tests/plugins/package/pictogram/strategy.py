"""Hill climbing with restarts."""

from __future__ import annotations

from random import Random

from pydantic import Field
from typing_extensions import override

from foundation.plugin_options import PluginOptions
from search.architecture import Architecture
from search.constraints.budgets import Budgets
from search.spaces.space import SearchSpace
from search.strategies.strategy import Strategy


class HillClimb(Strategy):
    """Neighbours of the best trial, then random architectures."""

    name = "hillclimb"
    generation_size = 4

    class Options(PluginOptions):
        """Options of the strategy."""

        neighbours: int = Field(default=4, ge=1)

    def __init__(self, space: SearchSpace, budgets: Budgets, *, seed: int = 0, neighbours: int = 4) -> None:
        super().__init__(space, budgets, seed=seed)
        self._neighbours = neighbours

    @override
    def _propose(self, count: int, rng: Random) -> list[Architecture]:
        found: list[Architecture] = []
        if self._trials:
            best = max(self._trials.values(), key=lambda trial: (trial.quality, trial.id)).architecture
            found += [self.space.mutate(best, rng) for _ in range(self._neighbours)]
        return found + self.space.sample(4 * count, rng)
