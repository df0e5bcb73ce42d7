"""Turns an architecture that violates a budget into a similar one that keeps all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from search.architecture import Architecture
from search.constraints.budgets import PARAMETERS, Budgets, ConstraintCheck
from search.spaces.space import SearchSpace

_NEIGHBOURS = 3
"""Random cheaper neighbours compared in each step: the best of three is greedy and still random."""
_FAR = 1.5
"""Beyond this ratio of value to limit steps are random, for no single one matters."""


@dataclass(slots=True)
class _Descent:
    """One repair in progress; ``open`` until a point keeps the budgets or nothing smaller is left."""

    at: Architecture
    violated: tuple[str, ...]
    """Names of the constraints that it violates."""
    far: bool
    """Whether it is so far beyond a budget that no single step matters."""
    open: bool
    result: ConstraintCheck | None
    points: list[Architecture] = field(default_factory=list)

    @staticmethod
    def of(check: ConstraintCheck, budgets: Budgets) -> _Descent:
        """The start of a repair; one that keeps the budgets is finished."""
        descent = _Descent(check.architecture, (), far=False, open=True, result=None)
        descent.arrive(check, budgets)
        return descent

    def arrive(self, check: ConstraintCheck, budgets: Budgets) -> None:
        """Moves to a point that was checked."""
        self.at, self.violated, self.far = check.architecture, check.violated, budgets.worst_ratio(check) > _FAR
        if check.feasible:
            self.open, self.result = False, check


def repair(
    space: SearchSpace,
    budgets: Budgets,
    checks: Sequence[ConstraintCheck],
    rng: Random,
    *,
    steps: int = 120,
    chunk: int = 5,
) -> list[ConstraintCheck | None]:
    """A feasible check for each given one, or None where ``steps`` cheaper moves were not enough.

    Each repair takes random moves of ``space.smaller`` while it is far from the budgets, and near them those that save
    most of what is exceeded: parameters, or FLOPs in place of latency, which needs no prediction. ``chunk`` steps are
    taken between two batched checks; the first point that keeps the budgets is the result, so it stays close to the
    limit. Feasible ones come back unchanged.
    """
    descents = [_Descent.of(check, budgets) for check in checks]
    for _ in range(-(-steps // chunk)):
        active = [descent for descent in descents if descent.open]
        if not active:
            break
        for descent in active:
            descent.points = _descend(space, descent, rng, chunk)
        _check(space, budgets, active)
    return [descent.result for descent in descents]


def _descend(space: SearchSpace, descent: _Descent, rng: Random, chunk: int) -> list[Architecture]:
    """Points to be checked: of random steps only the last one."""
    compared = 1 if descent.far else _NEIGHBOURS
    points: list[Architecture] = []
    current = descent.at
    for _ in range(chunk):
        neighbours = space.smaller(current)
        if not neighbours:
            break
        sampled = rng.sample(neighbours, min(compared, len(neighbours)))
        current = sampled[0] if compared == 1 else min(sampled, key=lambda a: _cost(space, a, descent.violated))
        points.append(current)
    return points[-1:] if compared == 1 else points


def _check(space: SearchSpace, budgets: Budgets, descents: Sequence[_Descent]) -> None:
    points = [point for descent in descents for point in descent.points]
    found = dict(zip(points, budgets.check_many(space, points), strict=True))
    for descent in descents:
        descent.open = bool(descent.points)
        for point in descent.points:
            if not descent.open:
                break
            descent.arrive(found[point], budgets)


def _cost(space: SearchSpace, architecture: Architecture, violated: Sequence[str]) -> int:
    return space.parameters(architecture) if PARAMETERS in violated else space.lower(architecture).flops
