"""Ways to relate a device's latencies to features of nets and to the latencies of other devices for the same nets.

``absolute``: latency over the mean of the samples, as a sum of features of the net and latencies of the sources.
``relative``: logarithm of latency over the sources' mean; for spaces whose nets differ by orders of magnitude.
``own``: latency over the mean of the samples, as a sum of the work of the net's operators; for devices like no source.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from latency.predictors.encoding.net_groups import NetGroups

Matrix = NDArray[np.float64]
_SOURCES = ("sources", "mean of the sources")
"""Groups that only views of sources have."""
_MIN = 0.02
"""Smallest absolute prediction, as a share of the samples' mean."""


@dataclass(frozen=True)
class View(ABC):
    """Made from the samples by ``of``."""

    net_groups: ClassVar[Sequence[str]] = ("constant", "counts", "live_counts", "depth", "live_pairs", "shapes")
    """Of ``NetGroups``, that the view reads."""
    reads_sources: ClassVar[bool] = True
    sources: Matrix
    """sources: each one's mean over the samples, in the view's scale."""
    level: float
    """Of the target over the samples."""

    @classmethod
    @abstractmethod
    def of(cls, source_ms: Matrix, latency_ms: Matrix) -> View:
        """From the sources' predictions of the samples (samples x sources) and the measured latencies."""

    @abstractmethod
    def relative_sources(self, source_ms: Matrix) -> tuple[Matrix, Matrix]:
        """nets x sources and nets: each source, and their mean, around 0 over the samples."""

    @abstractmethod
    def target(self, latency_ms: Matrix, source_ms: Matrix) -> Matrix:
        """Around 1 over the samples."""

    @abstractmethod
    def latency_ms(self, target: Matrix, source_ms: Matrix) -> Matrix:
        """Inverse of ``target``."""

    @classmethod
    def groups(cls) -> int:
        """Number of groups of ``columns``."""
        return len(cls.net_groups) + cls.reads_sources * len(_SOURCES)

    def columns(self, net: Matrix, groups: NetGroups, source_ms: Matrix) -> tuple[Matrix, NDArray[np.int64]]:
        """nets x columns, and the group of each column; ``net`` is encoded by ``groups``."""
        place = {name: number for number, name in enumerate(groups.names)}
        parts = [net[:, groups.group == place[name]] for name in self.net_groups]
        if self.reads_sources:
            each, mean = self.relative_sources(source_ms)
            parts += [each / np.sqrt(max(1, each.shape[1])), mean[:, None]]
        return np.concatenate(parts, axis=1), np.repeat(np.arange(len(parts)), [part.shape[1] for part in parts])


class AbsoluteView(View):
    """See the module."""

    @classmethod
    @override
    def of(cls, source_ms: Matrix, latency_ms: Matrix) -> AbsoluteView:
        return cls(source_ms.mean(axis=0), float(latency_ms.mean()))

    @override
    def relative_sources(self, source_ms: Matrix) -> tuple[Matrix, Matrix]:
        relative = source_ms / self.sources - 1
        return relative, relative.mean(axis=1)

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
    def relative_sources(self, source_ms: Matrix) -> tuple[Matrix, Matrix]:
        logs = np.log(source_ms) - self.sources
        mean = logs.mean(axis=1)
        return logs - mean[:, None], mean

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


class OwnView(AbsoluteView):
    """See the module."""

    net_groups = ("constant", "live_counts", "live_pairs", "flops", "bytes")
    reads_sources = False


VIEWS: dict[str, type[View]] = {"absolute": AbsoluteView, "relative": RelativeView, "own": OwnView}
