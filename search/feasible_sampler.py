"""Random architectures that keep every budget."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from search.budgets import Budgets
from search.repair import repair
from search.space import SearchSpace
from segmentation.architecture import Architecture

FeasibleSampler = Callable[[int, Random], list[Architecture]]
"""From a count and a source of chance to that many feasible architectures (fewer where they cannot be found)."""


def feasible_sampler(space: SearchSpace, budgets: Budgets, *, classes: int = 2, attempts: int = 10) -> FeasibleSampler:
    """A sampler that draws from the space and repairs what breaks a budget."""

    def sample(count: int, rng: Random) -> list[Architecture]:
        found: dict[Architecture, None] = {}
        for _ in range(attempts):
            missing = count - len(found)
            if missing <= 0:
                break
            verdicts = budgets.check_many(space, space.sample(missing, rng), classes)
            repaired = repair(space, budgets, verdicts, rng, classes=classes)
            found.update((verdict.architecture, None) for verdict in repaired if verdict is not None)
        return list(found)[:count]

    return sample
