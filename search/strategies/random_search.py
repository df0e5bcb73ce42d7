"""The baseline that every strategy has to beat."""

from __future__ import annotations

from random import Random

from search.architecture import Architecture
from search.strategies.strategy import Strategy


class RandomSearch(Strategy):
    """Samples of the space, stratified over depth as the space does it; learns nothing."""

    name = "random"

    def _propose(self, count: int, rng: Random) -> list[Architecture]:
        return self.space.sample(2 * count, rng)
