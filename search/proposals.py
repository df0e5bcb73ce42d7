"""One generation's candidates: proposed by the strategy, checked, repaired or dropped."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from random import Random

from search.architecture import Architecture
from search.constraints.budgets import Budgets, ConstraintCheck
from search.constraints.feasible_sampler import mutants
from search.constraints.repair import repair
from search.spaces.space import SearchSpace
from search.strategies.strategy import Strategy

_logger = logging.getLogger(__name__)

_MAX_ASKS, _MAX_MUTATIONS = 6, 12
"""How often the strategy is asked, and then feasible nets are mutated, before the space counts as exhausted."""


@dataclass(frozen=True, slots=True)
class Proposals:
    """Feasible candidates, and those that violated a budget with the outcome of their repair."""

    feasible: list[ConstraintCheck]
    violating: list[ConstraintCheck]
    repaired: list[bool]
    """For each violating one, whether a repair turned it into a feasible candidate."""


def propose(
    strategy: Strategy,
    space: SearchSpace,
    budgets: Budgets,
    count: int,
    *,
    known: Collection[Architecture],
    anchors: Sequence[Architecture] = (),
    rng: Random,
) -> Proposals:
    """Up to ``count`` new feasible candidates; fewer, or none, where they cannot be found.

    Strategies and repair fail where the budgets leave very little; then nets known to be feasible (``known``,
    ``anchors`` and what was found) are mutated.
    """
    seen = set(known)
    found: dict[Architecture, ConstraintCheck] = {}
    violating: list[ConstraintCheck] = []
    repaired: list[bool] = []
    for attempt in range(_MAX_ASKS + _MAX_MUTATIONS):
        missing = count - len(found)
        if missing <= 0:
            break
        if attempt < _MAX_ASKS:
            candidates = strategy.ask(missing)
        else:
            candidates = mutants(space, [*known, *anchors, *found], 2 * missing, rng)
        checks = budgets.check_many(space, candidates)
        for check, kept in zip(checks, repair(space, budgets, checks, rng), strict=True):
            if not check.feasible:
                violating.append(check)
                repaired.append(kept is not None)
                _log_violation(check, kept)
            if kept is not None and kept.architecture not in seen:
                found.setdefault(kept.architecture, kept)
    return Proposals(list(found.values())[:count], violating, repaired)


def _log_violation(check: ConstraintCheck, kept: ConstraintCheck | None) -> None:
    outcome = "refused" if kept is None else f"repaired to {kept.architecture.id}"
    _logger.info(
        "candidate %s %s: violates %s (%d parameters, bounds %s)",
        check.architecture.id,
        outcome,
        ", ".join(check.violated),
        check.parameters,
        check.upper_ms,
    )
