"""From an architecture that breaks a budget to a similar one that keeps all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from search.budgets import Budgets
from search.space import SearchSpace
from search.verdict import PARAMETERS, Verdict
from segmentation.architecture import Architecture

_LOOK = 3
"""Random cheaper neighbours looked at in each step: the best of three is greedy and yet leaves chance its part."""
_FAR = 1.5
"""Beyond this ratio of value to limit steps are taken without looking, for no single one matters."""


@dataclass(slots=True)
class _Descent:
    """One architecture on its way down; ``open`` until a point of the way keeps the budgets or the way ends."""

    last: Verdict
    open: bool
    result: Verdict | None
    points: list[Architecture] = field(default_factory=list)


def repair(
    space: SearchSpace,
    budgets: Budgets,
    verdicts: Sequence[Verdict],
    rng: Random,
    *,
    classes: int = 2,
    steps: int = 120,
    chunk: int = 5,
) -> list[Verdict | None]:
    """A feasible verdict for each given one, or None where ``steps`` cheaper moves did not get there.

    Each way down takes random moves of ``space.smaller`` while it is far from the budgets, and near them those that
    save most of what is over: parameters, or FLOPs in place of latency, which costs no prediction. ``chunk`` steps are
    taken between two batched checks; the first point that keeps the budgets is the result, so it stays close to the
    limit. Feasible ones come back unchanged.
    """
    descents = [_Descent(v, open=not v.feasible, result=v if v.feasible else None) for v in verdicts]
    for _ in range(-(-steps // chunk)):
        active = [descent for descent in descents if descent.open]
        if not active:
            break
        for descent in active:
            descent.points = _way_down(space, budgets, descent.last, rng, classes, chunk)
        _check(space, budgets, active, classes)
    return [descent.result for descent in descents]


def _way_down(
    space: SearchSpace, budgets: Budgets, start: Verdict, rng: Random, classes: int, chunk: int
) -> list[Architecture]:
    """Points to be checked: of steps without looking only the last one."""
    look = 1 if budgets.worst_ratio(start) > _FAR else _LOOK
    points: list[Architecture] = []
    current = start.architecture
    for _ in range(chunk):
        neighbours = space.smaller(current)
        if not neighbours:
            break
        looked_at = rng.sample(neighbours, min(look, len(neighbours)))
        current = looked_at[0] if look == 1 else min(looked_at, key=lambda a: _cost(space, a, start.violated, classes))
        points.append(current)
    return points[-1:] if look == 1 else points


def _check(space: SearchSpace, budgets: Budgets, descents: Sequence[_Descent], classes: int) -> None:
    points = [point for descent in descents for point in descent.points]
    found = iter(budgets.check_many(space, points, classes))
    for descent in descents:
        verdicts = [next(found) for _ in descent.points]
        descent.result = next((verdict for verdict in verdicts if verdict.feasible), None)
        descent.open = bool(verdicts) and descent.result is None
        if verdicts:
            descent.last = verdicts[-1]


def _cost(space: SearchSpace, architecture: Architecture, broken: Sequence[str], classes: int) -> int:
    if PARAMETERS in broken:
        return space.plan(architecture, classes=classes).parameters()
    return space.lower(architecture, classes=classes).flops
