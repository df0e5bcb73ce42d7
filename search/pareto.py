"""Non-dominated sorting and crowding distance. All objectives are minimised."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def domination(objectives: Matrix, violations: Matrix | None = None) -> NDArray[np.bool_]:
    """Matrix ``n x n``: whether i dominates j, constraint first.

    A feasible point dominates every infeasible one; of two infeasible ones the smaller violation dominates; two
    feasible ones are compared by Pareto dominance. Deb et al., "A fast and elitist multiobjective genetic algorithm:
    NSGA-II", IEEE TEC 6(2), 2002, section VI.

    Args:
        objectives: ``n x m``.
        violations: ``n``; 0 where all constraints hold. None for no constraints.
    """
    at_least = (objectives[:, None, :] <= objectives[None, :, :]).all(axis=2)
    better = (objectives[:, None, :] < objectives[None, :, :]).any(axis=2)
    pareto = at_least & better
    if violations is None:
        return np.asarray(pareto)
    both_feasible = (violations[:, None] <= 0) & (violations[None, :] <= 0)
    return np.asarray(np.where(both_feasible, pareto, violations[:, None] < violations[None, :]))


def fronts(objectives: Matrix, violations: Matrix | None = None) -> list[NDArray[np.intp]]:
    """Positions by front, the non-dominated ones first (same source as ``domination``)."""
    dominates = domination(objectives, violations)
    dominators = dominates.sum(axis=0)
    result: list[NDArray[np.intp]] = []
    left = np.ones(len(objectives), dtype=bool)
    while left.any():
        front = np.flatnonzero(left & (dominators == 0))
        result.append(front)
        left[front] = False
        dominators = dominators - dominates[front].sum(axis=0)
    return result


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


def ranking(objectives: Matrix, violations: Matrix | None = None) -> NDArray[np.intp]:
    """Positions from best to worst: by front, within a front the less crowded first."""
    found = fronts(objectives, violations)
    ordered = [front[np.argsort(-crowding(objectives[front]), kind="stable")] for front in found]
    return np.concatenate([np.empty(0, dtype=np.intp), *ordered])
