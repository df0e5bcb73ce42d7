"""Which nets to measure on a new device: those whose latencies tell most about all others, under the prior."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from latency.operators.operator import OperatorGraph
from latency.predictors.prior import Prior
from latency.predictors.views import VIEWS, view_group

Matrix = NDArray[np.float64]
_VIEW = "absolute"
_TRIMMED = 0.1
"""Share at either end of the expected latencies that is not measured: there noise and rounding weigh most."""


def informative_nets(prior: Prior, graphs: Sequence[OperatorGraph], count: int) -> list[int]:
    """Positions of ``count`` nets to be measured, the most informative first (all of them where there are no more).

    Greedy variance reduction (active learning of Cohn, Ghahramani & Jordan 1996 for Gaussian processes; Seo et al.
    2000): each net is the one after whose measurement the mean variance over all nets is least. One net is taken from
    each of ``count`` strata of expected latency, the fastest and the slowest nets are left out: the processes' noise
    is relative, but clocks round, and what is extreme under the prior is often wrong under the truth.

    Args:
        prior: of other devices.
        graphs: the nets to choose from; what is to be predicted later is like them.
        count: how many.
    """
    if count >= len(graphs):
        return list(range(len(graphs)))
    covariance, noise, expected = _believed(prior, graphs)
    stratum = _strata(expected, count)
    chosen: list[int] = []
    open_strata = set(range(count))
    for _ in range(count):
        gain = (covariance**2).mean(axis=0) / (covariance.diagonal() + noise)
        gain[~np.isin(stratum, list(open_strata))] = -1.0
        best = int(np.argmax(gain))
        chosen.append(best)
        open_strata.discard(int(stratum[best]))
        column = covariance[:, best]
        covariance = covariance - np.outer(column, column) / (covariance[best, best] + noise[best])
    return chosen


def _believed(prior: Prior, graphs: Sequence[OperatorGraph]) -> tuple[Matrix, Matrix, Matrix]:
    """nets x nets: covariance before any measurement; nets: noise variance; nets: expected latency over its mean."""
    source_ms = np.array([[one.latency_ms for one in source] for source in prior.source_predictions(graphs)]).T
    expected = (source_ms / source_ms.mean(axis=0)).mean(axis=1)
    view = VIEWS[_VIEW].of(source_ms, expected)
    columns = view.columns(prior.groups.encode(graphs), source_ms)
    mixture = prior.mixtures[_VIEW]
    variance = np.exp(2 * mixture.log_scale).mean(axis=0)[view_group(prior.groups.group, source_ms.shape[1])]
    noise = np.exp(2 * mixture.log_noise).mean() * (0.25 + 0.75 * expected**2)
    return (columns * variance) @ columns.T, noise, expected


def _strata(expected: Matrix, count: int) -> NDArray[np.int64]:
    """nets: number of the stratum, -1 at the ends."""
    order = np.argsort(expected, kind="stable")
    cut = min(int(_TRIMMED * len(order)), (len(order) - count) // 2)
    inside = order[cut : len(order) - cut]
    stratum = np.full(len(expected), -1)
    stratum[inside] = np.arange(len(inside)) * count // len(inside)
    return stratum
