"""Non-dominated sorting and crowding distance. All objectives are minimised."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
_BLOCK = 256
"""Points that are compared at once with those that are kept."""


def fronts(objectives: Matrix, violations: Matrix | None = None, *, least: int | None = None) -> list[NDArray[np.intp]]:
    """Positions by front, the non-dominated ones first, constraint first.

    A feasible point dominates every infeasible one; of two infeasible ones the smaller violation dominates; two
    feasible ones are compared by Pareto dominance. Deb et al., "A fast and elitist multiobjective genetic algorithm:
    NSGA-II", IEEE TEC 6(2), 2002, section VI.

    Args:
        objectives: ``n x m``.
        violations: ``n``; 0 where all constraints hold. None for no constraints.
        least: stop when the fronts have so many positions; by default all are sorted.
    """
    wanted = len(objectives) if least is None else min(least, len(objectives))
    broken = np.zeros(len(objectives)) if violations is None else violations
    result: list[NDArray[np.intp]] = []
    left = np.arange(len(objectives))
    while sum(map(len, result)) < wanted:
        front = left[_first_front(objectives[left], broken[left])]
        result.append(front)
        left = np.setdiff1d(left, front, assume_unique=True)
    return result


def _first_front(objectives: Matrix, violations: Matrix) -> NDArray[np.intp]:
    """Positions of the non-dominated points, in ascending order."""
    feasible = np.flatnonzero(violations <= 0)
    if not len(feasible):
        return np.flatnonzero(~(violations > violations.min()))
    # A point that dominates another one comes first in this order, so each block is compared with what is kept so far.
    order = feasible[np.lexsort(objectives[feasible].T[::-1])]
    kept = np.empty(0, dtype=np.intp)
    for start in range(0, len(order), _BLOCK):
        block = order[start : start + _BLOCK]
        block = block[~dominated(objectives[block], objectives[kept])]
        block = block[~dominated(objectives[block], objectives[block])]
        kept = np.concatenate([kept, block])
    return np.sort(kept)


def dominated(points: Matrix, others: Matrix) -> NDArray[np.bool_]:
    """For each of the points (``n x m``) whether one of the others (``k x m``) Pareto-dominates it."""
    at_least = (others[:, None, :] <= points[None, :, :]).all(axis=2)
    better = (others[:, None, :] < points[None, :, :]).any(axis=2)
    return np.asarray((at_least & better).any(axis=0))


def crowding(objectives: Matrix) -> Matrix:
    """Crowding distance of each point among its front; infinite at the ends of each objective.

    Args:
        objectives: ``n x m``, one front.
    """
    count, dimensions = objectives.shape
    distance = np.zeros(count)
    for column in range(dimensions):
        order = np.argsort(objectives[:, column], kind="stable")
        values = objectives[order, column]
        span = values[-1] - values[0]
        distance[order[[0, -1]]] = np.inf
        if span > 0 and count > 2:
            distance[order[1:-1]] += (values[2:] - values[:-2]) / span
    return distance


def ranking(objectives: Matrix, violations: Matrix | None = None, *, count: int | None = None) -> NDArray[np.intp]:
    """Positions from best to worst, the first ``count``: by front, within a front the less crowded first."""
    found = fronts(objectives, violations, least=count)
    ordered = [front[np.argsort(-crowding(objectives[front]), kind="stable")] for front in found]
    return np.concatenate([np.empty(0, dtype=np.intp), *ordered])[:count]
