"""The contract of a strategy: which architectures to try next."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from random import Random

from search.architecture import Architecture
from search.constraints.budgets import Budgets
from search.spaces.space import SearchSpace
from search.trial import Trial


class Strategy(ABC):
    """Proposes architectures and learns from trials.

    What it proposes depends only on its seed, the trials told so far and the number of ``ask`` since the last
    ``tell``; so a run is resumed by telling its stored trials again. Every implementation passes
    ``latseg/testing/strategy_contract.py``.
    """

    name: str

    def __init__(self, space: SearchSpace, budgets: Budgets, *, seed: int = 0) -> None:
        self.space = space
        self.budgets = budgets
        self.seed = seed
        self._trials: dict[Architecture, Trial] = {}
        self._asked: set[Architecture] = set()
        self._asks = 0

    def ask(self, count: int) -> list[Architecture]:
        """Up to ``count`` different architectures that were neither told nor asked for since the last ``tell``.

        Fewer, or none, where the strategy finds no new ones. They need not keep the budgets: the caller checks,
        repairs or drops them.
        """
        rng = Random(f"{self.seed}/{len(self._trials)}/{self._asks}")
        self._asks += 1
        proposals: list[Architecture] = []
        for architecture in self._propose(count, rng):
            if len(proposals) < count and architecture not in self._trials and architecture not in self._asked:
                proposals.append(architecture)
                self._asked.add(architecture)
        return proposals

    def tell(self, trials: Sequence[Trial]) -> None:
        """Adds trials; one that was told before is replaced (its bound may have been predicted anew)."""
        for trial in trials:
            self._trials[trial.architecture] = trial
        self._asked.clear()
        self._asks = 0

    def constrain(self, budgets: Budgets) -> None:
        """Budgets from now on: a refitted predictor or a wider margin."""
        self.budgets = budgets

    @abstractmethod
    def _propose(self, count: int, rng: Random) -> list[Architecture]:
        """Candidates in order of preference, with a few to spare; ``ask`` removes the known ones."""
