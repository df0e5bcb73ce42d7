"""Which nets to measure on a new device: those that reduce the prior's variance over all nets most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from latency.operators.operator import OperatorGraph
from latency.predictors.transfer.noise import noise_shape
from latency.predictors.transfer.prior import Prior
from latency.predictors.transfer.views import VIEWS

Matrix = NDArray[np.float64]
_TRIMMED = 0.1
"""Share of the nets at either end of the expected latency that is not measured: noise and rounding are worst there."""
_TRIMMED_UP_TO = 20
"""Largest number of nets to measure for which the ends are left out; with more, errors at the ends would grow."""


def informative_nets(prior: Prior, graphs: Sequence[OperatorGraph], count: int) -> list[int]:
    """Positions of ``count`` nets to measure, the most informative first (all nets where there are no more).

    Greedy variance reduction (active learning of Cohn, Ghahramani & Jordan 1996; for Gaussian processes, Seo et al.
    2000): the next net is the one that reduces the mean variance of all nets most, summed over the views. One net
    is taken from each of ``count`` strata of expected latency.

    Args:
        prior: of other devices.
        graphs: the nets to choose from, which are like those to be predicted later.
        count: how many.
    """
    if count >= len(graphs):
        return list(range(len(graphs)))
    net = prior.groups.encode(graphs)
    source_ms = np.array([[one.latency_ms for one in source] for source in prior.source_predictions(graphs, net)]).T
    stratum = _strata(np.exp(np.log(source_ms).mean(axis=1)), count)
    processes = [_process(prior, view, net, source_ms) for view in VIEWS]
    chosen: list[int] = []
    for _ in range(count):
        gain = sum((k**2).mean(axis=0) / (k.diagonal() + noise) for k, noise in processes)
        free = (stratum >= 0) & ~np.isin(stratum, stratum[chosen])
        best = int(np.argmax(np.where(free, gain, -1.0)))
        chosen.append(best)
        processes = [(k - np.outer(k[best], k[best]) / (k[best, best] + noise[best]), noise) for k, noise in processes]
    return chosen


def _process(prior: Prior, name: str, net: Matrix, source_ms: Matrix) -> tuple[Matrix, Matrix]:
    """Covariance (nets x nets) and noise variance (nets) of a view's mean process, over the mean variance."""
    expected = (source_ms / source_ms.mean(axis=0)).mean(axis=1)
    view, mixture = VIEWS[name].of(source_ms, expected), prior.mixtures[name]
    columns, group = view.columns(net, prior.groups, source_ms)
    covariance = (columns * np.exp(2 * mixture.log_scale).mean(axis=0)[group]) @ columns.T
    noise = np.exp(2 * mixture.log_noise).mean() * noise_shape(view.target(expected, source_ms))
    return covariance / covariance.diagonal().mean(), noise / covariance.diagonal().mean()


def _strata(expected: Matrix, count: int) -> NDArray[np.int64]:
    """nets: number of the stratum, -1 at the ends."""
    cut = int(_TRIMMED * len(expected)) if count <= _TRIMMED_UP_TO else 0
    cut = min(cut, (len(expected) - count) // 2)
    inside = np.argsort(expected, kind="stable")[cut : len(expected) - cut]
    stratum = np.full(len(expected), -1)
    stratum[inside] = np.arange(len(inside)) * count // len(inside)
    return stratum
