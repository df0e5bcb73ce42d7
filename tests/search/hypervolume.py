"""Hypervolume: how good a front is as a whole. All objectives are minimised."""

from __future__ import annotations

import numpy as np

from search.pareto import Matrix


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
    return sum(
        float(depth) * hypervolume(points[: i + 1, :-1], reference[:-1]) for i, depth in enumerate(depths) if depth > 0
    )
