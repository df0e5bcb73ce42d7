"""The contract of a strategy: which architectures to try next."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, ClassVar

from foundation.progress import OnProgress, ignore_progress
from search.architecture import Architecture
from search.constraints.budgets import Budgets
from search.constraints.feasible_sampler import FeasibleSampler
from search.spaces.space import SearchSpace
from search.trial import Trial

if TYPE_CHECKING:
    from search.evaluators.evaluator import Evaluator


class Strategy(ABC):
    """Proposes architectures and learns from trials.

    What it proposes depends only on its seed, its options, the trials received by ``tell`` and the number of calls of
    ``ask`` since the last ``tell``; so a run is resumed by passing its stored trials to ``tell`` again. Every
    implementation passes ``latseg.testing.strategy_contract``. A strategy with options names a
    ``foundation.plugin_options.PluginOptions`` model in ``Options`` and takes them as keyword arguments.

    Args:
        space: to search in.
        budgets: that the result must keep.
        seed: of everything random.
    """

    name: ClassVar[str]
    generation_size: int = 24
    """How many evaluated trials the strategy expects between two calls of ``tell``."""

    def __init__(self, space: SearchSpace, budgets: Budgets, *, seed: int = 0) -> None:
        self.space = space
        self.budgets = budgets
        self.seed = seed
        self._trials: dict[Architecture, Trial] = {}
        self._proposed: set[Architecture] = set()
        self._calls = 0

    def prepare(  # noqa: B027 - most strategies have nothing to prepare
        self, evaluator: Evaluator, sampler: FeasibleSampler, on_progress: OnProgress = ignore_progress
    ) -> None:
        """Does what must be done once before the first ``ask``, such as training gates on shared weights.

        Called after ``evaluator.prepare``, and again after an interruption: then it continues where it stopped.

        Args:
            evaluator: of the search; its task and its folder are the strategy's to use.
            sampler: samples architectures that keep the budgets.
            on_progress: called after each step.
        """

    def ask(self, count: int) -> list[Architecture]:
        """Up to ``count`` different architectures, none of them a known trial or proposed since the last ``tell``.

        Fewer, or none, where the strategy finds no new ones. They need not keep the budgets: the caller checks,
        repairs or drops them.
        """
        rng = Random(f"{self.seed}/{len(self._trials)}/{self._calls}")
        self._calls += 1
        proposals: list[Architecture] = []
        for architecture in self._propose(count, rng):
            if len(proposals) < count and architecture not in self._trials and architecture not in self._proposed:
                proposals.append(architecture)
                self._proposed.add(architecture)
        return proposals

    def tell(self, trials: Sequence[Trial]) -> None:
        """Adds trials; a known one is replaced (its bound may have been predicted again)."""
        for trial in trials:
            self._trials[trial.architecture] = trial
        self._proposed.clear()
        self._calls = 0

    def constrain(self, budgets: Budgets) -> None:
        """Replaces the budgets, for example after the predictor was recalibrated."""
        self.budgets = budgets

    @abstractmethod
    def _propose(self, count: int, rng: Random) -> list[Architecture]:
        """Candidates in order of preference, with a few to spare; ``ask`` removes the known ones."""
