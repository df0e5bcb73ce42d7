"""Random architectures that keep every budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from search.architecture import Architecture
from search.constraints.budgets import Budgets
from search.constraints.repair import repair
from search.spaces.space import SearchSpace

FeasibleSampler = Callable[[int, Random], list[Architecture]]
"""From a count and a random generator to that many feasible architectures (fewer where they cannot be found)."""

_SAMPLES, _MUTANTS = 4, 12
"""Rounds of samples, then of mutants of what was found."""


def feasible_sampler(
    space: SearchSpace,
    budgets: Budgets,
    *,
    anchors: Sequence[Architecture] = (),
) -> FeasibleSampler:
    """A sampler of the space that repairs what violates a budget.

    Where the budgets leave so little that this does not suffice, it mutates what it found and ``anchors``, which are
    feasible nets known from elsewhere.
    """

    def sample(count: int, rng: Random) -> list[Architecture]:
        found: dict[Architecture, None] = {}
        for attempt in range(_SAMPLES + _MUTANTS):
            missing = count - len(found)
            if missing <= 0:
                break
            if attempt < _SAMPLES:
                sampled = space.sample(missing, rng)
            else:
                sampled = mutants(space, [*found, *anchors], missing, rng)
            checks = budgets.check_many(space, sampled)
            repaired = repair(space, budgets, checks, rng)
            found.update((check.architecture, None) for check in repaired if check is not None)
        return list(found)[:count]

    return sample


def mutants(space: SearchSpace, parents: Sequence[Architecture], count: int, rng: Random) -> list[Architecture]:
    """Mutants of random parents; none where there are no parents."""
    return [space.mutate(rng.choice(parents), rng) for _ in range(count)] if parents else []
