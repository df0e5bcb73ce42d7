"""Two ways to relate a device's latencies to those of other devices for the same nets.

``absolute``: latency over the mean of the samples, as a sum of features of the net and latencies of the sources.
``relative``: logarithm of latency over the sources' mean; for spaces whose nets differ by orders of magnitude.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from latency.predictors.transfer.net_groups import GROUPS

Matrix = NDArray[np.float64]
VIEW_GROUPS = len(GROUPS) + 2
"""The groups of the net itself, each source, and their mean."""
_MIN = 0.02
"""Smallest absolute prediction, as a share of the samples' mean."""


@dataclass(frozen=True)
class View(ABC):
    """Made from the samples by ``of``."""

    sources: Matrix
    """sources: each one's mean over the samples, in the view's scale."""
    level: float
    """Of the target over the samples."""

    @classmethod
    @abstractmethod
    def of(cls, source_ms: Matrix, latency_ms: Matrix) -> View:
        """From the sources' predictions of the samples (samples x sources) and the measured latencies."""

    @abstractmethod
    def columns(self, net: Matrix, source_ms: Matrix) -> Matrix:
        """nets x (columns of ``net``, sources, 1)"""

    @abstractmethod
    def target(self, latency_ms: Matrix, source_ms: Matrix) -> Matrix:
        """Around 1 over the samples."""

    @abstractmethod
    def latency_ms(self, target: Matrix, source_ms: Matrix) -> Matrix:
        """Inverse of ``target``."""


class AbsoluteView(View):
    """See the module."""

    @classmethod
    @override
    def of(cls, source_ms: Matrix, latency_ms: Matrix) -> AbsoluteView:
        return cls(source_ms.mean(axis=0), float(latency_ms.mean()))

    @override
    def columns(self, net: Matrix, source_ms: Matrix) -> Matrix:
        relative = source_ms / self.sources - 1
        return _joined(net, relative, relative.mean(axis=1))

    @override
    def target(self, latency_ms: Matrix, source_ms: Matrix) -> Matrix:
        return latency_ms / self.level

    @override
    def latency_ms(self, target: Matrix, source_ms: Matrix) -> Matrix:
        result: Matrix = np.maximum(target, _MIN) * self.level
        return result


class RelativeView(View):
    """See the module."""

    @classmethod
    @override
    def of(cls, source_ms: Matrix, latency_ms: Matrix) -> RelativeView:
        logs = np.log(source_ms)
        mean = (logs - logs.mean(axis=0)).mean(axis=1)
        return cls(logs.mean(axis=0), float((np.log(latency_ms) - mean).mean()))

    @override
    def columns(self, net: Matrix, source_ms: Matrix) -> Matrix:
        logs = np.log(source_ms) - self.sources
        mean = logs.mean(axis=1)
        return _joined(net, logs - mean[:, None], mean)

    @override
    def target(self, latency_ms: Matrix, source_ms: Matrix) -> Matrix:
        return 1 + np.log(latency_ms) - self._mean(source_ms) - self.level

    @override
    def latency_ms(self, target: Matrix, source_ms: Matrix) -> Matrix:
        result: Matrix = np.exp(target - 1 + self.level + self._mean(source_ms))
        return result

    def _mean(self, source_ms: Matrix) -> Matrix:
        result: Matrix = (np.log(source_ms) - self.sources).mean(axis=1)
        return result


VIEWS: dict[str, type[View]] = {"absolute": AbsoluteView, "relative": RelativeView}


def view_group(net_group: NDArray[np.int64], sources: int) -> NDArray[np.int64]:
    """columns: group of each, the net's own ones first."""
    return np.concatenate([net_group, np.full(sources, len(GROUPS)), [len(GROUPS) + 1]])


def _joined(net: Matrix, sources: Matrix, mean: Matrix) -> Matrix:
    return np.concatenate([net, sources / np.sqrt(max(1, sources.shape[1])), mean[:, None]], axis=1)
