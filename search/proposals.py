"""One generation's candidates: asked of the strategy, checked, repaired or dropped."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from random import Random

from search.budgets import Budgets
from search.repair import repair
from search.space import SearchSpace
from search.strategy import Strategy
from search.verdict import Verdict
from segmentation.architecture import Architecture

_ATTEMPTS = 12
"""Times that a strategy is asked before the space counts as exhausted under the budgets."""


@dataclass(frozen=True, slots=True)
class Proposals:
    """Feasible candidates, and those that broke a budget with what became of them."""

    feasible: list[Verdict]
    broken: list[Verdict]
    repaired: list[bool]
    """For each broken one, whether a repair turned it into a feasible candidate."""


def propose(
    strategy: Strategy,
    space: SearchSpace,
    budgets: Budgets,
    count: int,
    *,
    known: Container[Architecture],
    rng: Random,
    classes: int = 2,
) -> Proposals:
    """Up to ``count`` new feasible candidates; fewer, or none, where they cannot be found."""
    found: dict[Architecture, Verdict] = {}
    broken: list[Verdict] = []
    repaired: list[bool] = []
    for _ in range(_ATTEMPTS):
        missing = count - len(found)
        if missing <= 0:
            break
        verdicts = budgets.check_many(space, strategy.ask(missing), classes)
        for asked, kept in zip(verdicts, repair(space, budgets, verdicts, rng, classes=classes), strict=True):
            if not asked.feasible:
                broken.append(asked)
                repaired.append(kept is not None)
            if kept is not None and kept.architecture not in known:
                found.setdefault(kept.architecture, kept)
    return Proposals(list(found.values()), broken, repaired)
