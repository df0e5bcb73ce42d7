"""From an architecture that breaks a budget to a similar one that keeps all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from search.architecture import Architecture
from search.constraints.budgets import Budgets
from search.constraints.check import PARAMETERS, ConstraintCheck
from search.spaces.space import SearchSpace

_LOOK = 3
"""Random cheaper neighbours looked at in each step: the best of three is greedy and yet leaves chance its part."""
_FAR = 1.5
"""Beyond this ratio of value to limit steps are taken without looking, for no single one matters."""


@dataclass(slots=True)
class _Descent:
    """One architecture on its way down; ``open`` until a point of the way keeps the budgets or the way ends."""

    at: Architecture
    broken: tuple[str, ...]
    """Names of the constraints that it breaks."""
    far: bool
    """Whether it is so far beyond a budget that no single step matters."""
    open: bool
    result: ConstraintCheck | None
    points: list[Architecture] = field(default_factory=list)

    @staticmethod
    def of(verdict: ConstraintCheck, budgets: Budgets) -> _Descent:
        """Where a way begins; one that keeps the budgets has ended."""
        descent = _Descent(verdict.architecture, (), far=False, open=True, result=None)
        descent.arrive(verdict, budgets)
        return descent

    def arrive(self, verdict: ConstraintCheck, budgets: Budgets) -> None:
        """At a point that was checked."""
        self.at, self.broken, self.far = verdict.architecture, verdict.violated, budgets.worst_ratio(verdict) > _FAR
        if verdict.feasible:
            self.open, self.result = False, verdict


def repair(
    space: SearchSpace,
    budgets: Budgets,
    verdicts: Sequence[ConstraintCheck],
    rng: Random,
    *,
    classes: int = 2,
    steps: int = 120,
    chunk: int = 5,
) -> list[ConstraintCheck | None]:
    """A feasible verdict for each given one, or None where ``steps`` cheaper moves did not get there.

    Each way down takes random moves of ``space.smaller`` while it is far from the budgets, and near them those that
    save most of what is over: parameters, or FLOPs in place of latency, which costs no prediction. ``chunk`` steps are
    taken between two batched checks; the first point that keeps the budgets is the result, so it stays close to the
    limit. Feasible ones come back unchanged.
    """
    descents = [_Descent.of(verdict, budgets) for verdict in verdicts]
    for _ in range(-(-steps // chunk)):
        active = [descent for descent in descents if descent.open]
        if not active:
            break
        for descent in active:
            descent.points = _way_down(space, descent, rng, classes, chunk)
        _check(space, budgets, active, classes)
    return [descent.result for descent in descents]


def _way_down(space: SearchSpace, descent: _Descent, rng: Random, classes: int, chunk: int) -> list[Architecture]:
    """Points to be checked: of steps without looking only the last one."""
    look = 1 if descent.far else _LOOK
    points: list[Architecture] = []
    current = descent.at
    for _ in range(chunk):
        neighbours = space.smaller(current)
        if not neighbours:
            break
        looked_at = rng.sample(neighbours, min(look, len(neighbours)))
        current = looked_at[0] if look == 1 else min(looked_at, key=lambda a: _cost(space, a, descent.broken, classes))
        points.append(current)
    return points[-1:] if look == 1 else points


def _check(
    space: SearchSpace,
    budgets: Budgets,
    descents: Sequence[_Descent],
    classes: int,
) -> None:
    points = [point for descent in descents for point in descent.points]
    found = dict(zip(points, budgets.check_many(space, points, classes), strict=True))
    for descent in descents:
        descent.open = bool(descent.points)
        for point in descent.points:
            if not descent.open:
                break
            descent.arrive(found[point], budgets)


def _cost(space: SearchSpace, architecture: Architecture, broken: Sequence[str], classes: int) -> int:
    if PARAMETERS in broken:
        return space.plan(architecture, classes=classes).parameters()
    return space.lower(architecture, classes=classes).flops
