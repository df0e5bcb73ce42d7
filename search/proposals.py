"""One generation's candidates: asked of the strategy, checked, repaired or dropped."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from random import Random

from search.architecture import Architecture
from search.constraints.budgets import Budgets
from search.constraints.check import ConstraintCheck
from search.constraints.feasible_sampler import mutants
from search.constraints.repair import repair
from search.spaces.space import SearchSpace
from search.strategies.strategy import Strategy

_ASKED, _MUTATED = 6, 12
"""Times that the strategy is asked, and then that feasible nets are mutated, before the space counts as exhausted."""


@dataclass(frozen=True, slots=True)
class Proposals:
    """Feasible candidates, and those that broke a budget with what became of them."""

    feasible: list[ConstraintCheck]
    broken: list[ConstraintCheck]
    repaired: list[bool]
    """For each broken one, whether a repair turned it into a feasible candidate."""


def propose(
    strategy: Strategy,
    space: SearchSpace,
    budgets: Budgets,
    count: int,
    *,
    known: Collection[Architecture],
    anchors: Sequence[Architecture] = (),
    rng: Random,
    classes: int = 2,
) -> Proposals:
    """Up to ``count`` new feasible candidates; fewer, or none, where they cannot be found.

    Budgets that leave next to nothing defeat strategies and repair; then nets known to be feasible (``known``,
    ``anchors`` and what was found) are mutated.
    """
    found: dict[Architecture, ConstraintCheck] = {}
    broken: list[ConstraintCheck] = []
    repaired: list[bool] = []
    for attempt in range(_ASKED + _MUTATED):
        missing = count - len(found)
        if missing <= 0:
            break
        if attempt < _ASKED:
            asked_for = strategy.ask(missing)
        else:
            asked_for = mutants(space, [*known, *anchors, *found], 2 * missing, rng)
        verdicts = budgets.check_many(space, asked_for, classes)
        mended = repair(space, budgets, verdicts, rng, classes=classes)
        for asked, kept in zip(verdicts, mended, strict=True):
            if not asked.feasible:
                broken.append(asked)
                repaired.append(kept is not None)
            if kept is not None and kept.architecture not in known:
                found.setdefault(kept.architecture, kept)
    return Proposals(list(found.values())[:count], broken, repaired)
