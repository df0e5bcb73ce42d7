"""Trials whose quality is a formula, without a search."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from search.architecture import Architecture
from search.constraints.budgets import Budgets
from search.spaces.space import SearchSpace
from search.trial import Trial

Quality = Callable[[Architecture], float]


def formula_trials(
    space: SearchSpace, budgets: Budgets, architectures: Sequence[Architecture], quality: Quality, generation: int
) -> list[Trial]:
    """One trial for each architecture, in order, whether it keeps the budgets or not."""
    return [
        Trial(
            architecture=check.architecture,
            generation=generation,
            parameters=check.parameters,
            flops=check.flops or 0,
            predicted_ms=check.predicted_ms,
            upper_ms=check.upper_ms,
            quality=quality(check.architecture),
            seconds=0.0,
            created="",
        )
        for check in budgets.check_many(space, architectures, predict_all=True)
    ]
