"""Several strategies that take turns in one search and share its trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from typing_extensions import override

from foundation.progress import OnProgress, ignore_progress
from search.architecture import Architecture
from search.constraints.budgets import Budgets
from search.constraints.feasible_sampler import FeasibleSampler
from search.evaluators.evaluator import Evaluator
from search.spaces.space import SearchSpace
from search.strategies.strategy import Strategy
from search.trial import Trial


class SideBySide(Strategy):
    """Generation ``g`` is proposed by member ``g`` modulo their number; each member is told all trials.

    So no architecture is evaluated twice, and the members can be compared by the generations in one store of trials.
    Generations are of one size, the least of the members': by it a search divides its trials.

    Args:
        space: to search in.
        budgets: that the result must keep.
        seed: of everything random; each member has one of its own, so equal members differ.
        members: their classes, each with its options.
    """

    name = "side-by-side"

    def __init__(
        self,
        space: SearchSpace,
        budgets: Budgets,
        *,
        seed: int = 0,
        members: Sequence[tuple[type[Strategy], Mapping[str, Any]]],
    ) -> None:
        super().__init__(space, budgets, seed=seed)
        self.members = [
            member(space, budgets, seed=seed * len(members) + number, **options)
            for number, (member, options) in enumerate(members)
        ]
        self.generation_size = min(member.generation_size for member in self.members)

    def _next(self) -> Strategy:
        """The member that proposes the next generation."""
        generation = 1 + max((trial.generation for trial in self._trials.values()), default=-1)
        return self.members[generation % len(self.members)]

    @override
    def prepare(
        self, evaluator: Evaluator, sampler: FeasibleSampler, on_progress: OnProgress = ignore_progress
    ) -> None:
        for member in self.members:
            member.prepare(evaluator, sampler, on_progress)

    @override
    def tell(self, trials: Sequence[Trial]) -> None:
        super().tell(trials)
        for member in self.members:
            member.tell(trials)

    @override
    def constrain(self, budgets: Budgets) -> None:
        super().constrain(budgets)
        for member in self.members:
            member.constrain(budgets)

    @override
    def _propose(self, count: int, rng: Random) -> list[Architecture]:
        return self._next().ask(count)
