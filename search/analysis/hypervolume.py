"""Hypervolume: how good a front is as a whole. All objectives are minimised.

Zitzler and Thiele, "Multiobjective evolutionary algorithms: a comparative case study and the strength Pareto
approach", IEEE TEC 3(4), 1999.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from search.analysis.search_log import SearchLog, Vector, common_costs
from search.pareto import Matrix, fronts


def hypervolume(objectives: Matrix, reference: Matrix) -> float:
    """Volume dominated by the points and bounded by ``reference``, by slicing along the last objective.

    Args:
        objectives: ``n x m``.
        reference: ``m``; points that are not better in every objective do not count.
    """
    points = objectives[(objectives < reference).all(axis=1)]
    if len(points) == 0:
        return 0.0
    if points.shape[1] == 1:
        return float(reference[0] - points.min())
    points = points[np.argsort(points[:, -1], kind="stable")]
    depths = np.diff(np.append(points[:, -1], reference[-1]))
    if points.shape[1] == 2:
        return float(depths @ (reference[0] - np.minimum.accumulate(points[:, 0])))
    return sum(
        float(depth) * hypervolume(points[: i + 1, :-1], reference[:-1]) for i, depth in enumerate(depths) if depth > 0
    )


def reference_costs(logs: Sequence[SearchLog]) -> dict[str, float]:
    """The reference point's costs: of each cost that all logs have, the largest limit, else the largest value."""
    reference: dict[str, float] = {}
    for name in common_costs(logs):
        costs = [cost for log in logs if (cost := log.cost(name)) is not None]
        limits = [cost.limit for cost in costs if cost.limit is not None]
        reference[name] = max(limits) if limits else max(float(cost.known.max()) for cost in costs)
    return reference


def hypervolume_of(log: SearchLog, reference: Mapping[str, float]) -> float:
    """Hypervolume of the trials over quality and costs; each cost is divided by its reference.

    The reference point is quality 0 and the costs of ``reference``: a log whose every trial had quality 1 at no cost
    would have 1.
    """
    shares = [_values(log, name) / limit for name, limit in reference.items() if limit > 0]
    rows = np.column_stack([-log.quality, *shares])
    rows = rows[np.isfinite(rows).all(axis=1)]
    if not len(rows):
        return 0.0
    front = rows[fronts(rows, least=1)[0]]
    return hypervolume(front, np.array([0.0, *[1.0] * len(shares)]))


def _values(log: SearchLog, name: str) -> Vector:
    cost = log.cost(name)
    assert cost is not None
    return cost.values
