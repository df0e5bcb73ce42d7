"""Which nets to measure on a new device: those whose latencies tell most about all others, under the prior."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latency.operators.operator import OperatorGraph
from latency.predictors.transfer.prior import Prior
from latency.predictors.transfer.views import VIEWS, view_group

Matrix = NDArray[np.float64]
_TRIMMED = 0.1
"""Share at either end of the expected latencies that is not measured: there noise and rounding weigh most."""
_TRIMMED_UP_TO = 20
"""Nets; of more the ends are measured, too: without them the fastest and slowest nets were predicted worse."""


def informative_nets(prior: Prior, graphs: Sequence[OperatorGraph], count: int) -> list[int]:
    """Positions of ``count`` nets to be measured, the most informative first (all of them where there are no more).

    Greedy variance reduction (active learning of Cohn, Ghahramani & Jordan 1996, for Gaussian processes Seo et al.
    2000): each net is the one after whose measurement the mean variance over all nets is least, as a share of what it
    was at first and summed over the two views. One net is taken from each of ``count`` strata of expected latency. Of
    up to 20, the fastest and the slowest nets are left out: the processes' noise is relative, but clocks round, and
    what is extreme under the prior is often wrong under the truth.

    Args:
        prior: of other devices.
        graphs: the nets to choose from; what is to be predicted later is like them.
        count: how many.
    """
    if count >= len(graphs):
        return list(range(len(graphs)))
    source_ms = np.array([[one.latency_ms for one in source] for source in prior.source_predictions(graphs)]).T
    stratum = _strata(np.exp(np.log(source_ms).mean(axis=1)), count)
    net = prior.groups.encode(graphs)
    beliefs = [_Belief.before(prior, name, net, source_ms) for name in VIEWS]
    chosen: list[int] = []
    for _ in range(count):
        gain = np.sum([belief.gains() for belief in beliefs], axis=0)
        gain[(stratum < 0) | np.isin(stratum, stratum[chosen])] = -1.0
        best = int(np.argmax(gain))
        chosen.append(best)
        beliefs = [belief.after(best) for belief in beliefs]
    return chosen


@dataclass(frozen=True)
class _Belief:
    """What one view's processes, their components averaged, say of the nets before their latencies are known."""

    covariance: Matrix
    """nets x nets"""
    noise: Matrix
    """nets: variance"""
    start: float
    """Mean variance before any measurement."""

    @staticmethod
    def before(prior: Prior, name: str, net: Matrix, source_ms: Matrix) -> _Belief:
        expected = (source_ms / source_ms.mean(axis=0)).mean(axis=1)
        view = VIEWS[name].of(source_ms, expected)
        target = view.target(expected, source_ms)
        mixture = prior.mixtures[name]
        variance = np.exp(2 * mixture.log_scale).mean(axis=0)[view_group(prior.groups.group, source_ms.shape[1])]
        columns = view.columns(net, source_ms)
        covariance = (columns * variance) @ columns.T
        noise = np.exp(2 * mixture.log_noise).mean() * (0.25 + 0.75 * target**2)
        return _Belief(covariance, noise, float(covariance.diagonal().mean()))

    def gains(self) -> Matrix:
        """nets: by what share of the first mean variance measuring each one lowers it."""
        result: Matrix = (self.covariance**2).mean(axis=0) / (self.covariance.diagonal() + self.noise) / self.start
        return result

    def after(self, measured: int) -> _Belief:
        column = self.covariance[:, measured]
        known = np.outer(column, column) / (column[measured] + self.noise[measured])
        return _Belief(self.covariance - known, self.noise, self.start)


def _strata(expected: Matrix, count: int) -> NDArray[np.int64]:
    """nets: number of the stratum, -1 at the ends."""
    order = np.argsort(expected, kind="stable")
    trimmed = _TRIMMED if count <= _TRIMMED_UP_TO else 0.0
    cut = min(int(trimmed * len(order)), (len(order) - count) // 2)
    inside = order[cut : len(order) - cut]
    stratum = np.full(len(expected), -1)
    stratum[inside] = np.arange(len(inside)) * count // len(inside)
    return stratum
