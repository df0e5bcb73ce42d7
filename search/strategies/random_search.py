"""The baseline that every strategy has to beat."""

from __future__ import annotations

from random import Random
from typing import Annotated

from pydantic import Field
from typing_extensions import override

from foundation.plugin_options import PluginOptions
from search.architecture import Architecture
from search.constraints.budgets import Budgets
from search.spaces.space import SearchSpace
from search.strategies.strategy import Strategy


class RandomSearch(Strategy):
    """Samples of the space, stratified over depth as the space does it; learns nothing.

    Args:
        space: to search in.
        budgets: not used.
        seed: of the samples.
        generation_size: trials between two measurements of winners.
    """

    name = "random"

    class Options(PluginOptions):
        """Options of the strategy."""

        generation_size: Annotated[int, Field(ge=1)] = 24

    def __init__(self, space: SearchSpace, budgets: Budgets, *, seed: int = 0, generation_size: int = 24) -> None:
        super().__init__(space, budgets, seed=seed)
        self.generation_size = generation_size

    @override
    def _propose(self, count: int, rng: Random) -> list[Architecture]:
        return self.space.sample(2 * count, rng)
