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
    """One repair in progress."""

    at: ConstraintCheck
    """The last point that was checked; the result where it keeps the budgets."""
    points: list[Architecture] = field(default_factory=list)
    """To be checked next."""
    ended: bool = False
    """Whether nothing smaller is left."""


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
    most of what is exceeded: parameters, or FLOPs in place of latency, which needs no prediction. Where nothing but
    refused operators is left, it takes the move that leaves fewest of them and the largest net. ``chunk`` steps are
    taken between two batched checks; the first point that keeps the budgets is the result, so it stays close to the
    limit. Feasible ones come back unchanged.
    """
    descents = [_Descent(check) for check in checks]
    for _ in range(-(-steps // chunk)):
        active = [descent for descent in descents if not (descent.at.feasible or descent.ended)]
        if not active:
            break
        for descent in active:
            descent.points = _descend(space, budgets, descent.at, rng, chunk)
        _check(space, budgets, active)
    return [descent.at if descent.at.feasible else None for descent in descents]


def _descend(
    space: SearchSpace, budgets: Budgets, start: ConstraintCheck, rng: Random, chunk: int
) -> list[Architecture]:
    """Points to be checked: of random steps only the last one."""
    only_refused = bool(start.refused) and set(start.violated) == set(start.refused)
    far = budgets.worst_ratio(start) > _FAR and not only_refused
    compared = 1 if far else _NEIGHBOURS
    points: list[Architecture] = []
    current = start.architecture
    for _ in range(chunk):
        neighbours = space.smaller(current) if only_refused else space.some_smaller(current, compared, rng)
        if not neighbours:
            break
        if only_refused:
            current = min(neighbours, key=lambda a: _refused(space, budgets, a))
        else:
            current = neighbours[0] if far else min(neighbours, key=lambda a: _cost(space, a, start.violated))
        points.append(current)
    return points[-1:] if far else points


def _check(space: SearchSpace, budgets: Budgets, descents: Sequence[_Descent]) -> None:
    points = [point for descent in descents for point in descent.points]
    found = dict(zip(points, budgets.check_many(space, points), strict=True))
    for descent in descents:
        descent.ended = not descent.points
        for point in descent.points:
            descent.at = found[point]
            if descent.at.feasible:
                break


def _cost(space: SearchSpace, architecture: Architecture, violated: Sequence[str]) -> int:
    return space.parameters(architecture) if PARAMETERS in violated else space.lower(architecture).flops


def _refused(space: SearchSpace, budgets: Budgets, architecture: Architecture) -> tuple[float, int]:
    """Of nets with as many refused operators the largest one is the most similar to a net that is large enough."""
    graph = space.lower(architecture)
    return sum(budgets.refused(graph).values()), -graph.flops
