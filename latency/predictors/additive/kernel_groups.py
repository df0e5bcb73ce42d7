"""Measured kernel times as regression targets, with the operators that each kernel covers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latency.predictors.encoding.operator_table import OperatorTable
from latency.sample import KernelTime, LatencySample

_MIN_MS = 1e-5
"""Kernels under the profile's resolution are reported as zero; logarithms need more."""


@dataclass(frozen=True)
class KernelGroups:
    """Kernels of many samples, flattened; ``members`` are operators, one entry for each operator of each kernel."""

    rows: NDArray[np.int64]
    """members: row of the operator in the ``OperatorTable``."""
    group: NDArray[np.int64]
    """members: index of the kernel."""
    ms: NDArray[np.float64]
    """kernels"""
    isolated: NDArray[np.bool_]
    """kernels: whether it was measured in a single-operator model."""

    def divided(self, predicted_ms: NDArray[np.float64]) -> NDArray[np.float64]:
        """members: each kernel's time, divided among its operators in the ratio of their predicted times."""
        total = np.bincount(self.group, weights=predicted_ms, minlength=len(self.ms))
        share: NDArray[np.float64] = self.ms[self.group] * predicted_ms / total[self.group]
        return share


def kernels_of(sample: LatencySample) -> tuple[KernelTime, ...]:
    """The sample's kernels; without operator times the whole net is one kernel."""
    if sample.among_others:
        return sample.kernels  # the latency of such a model does not tell the time of its inner operators
    return sample.kernels or (KernelTime(tuple(range(len(sample.graph.operators))), sample.latency_ms),)


def kernel_groups(samples: Sequence[LatencySample], table: OperatorTable) -> KernelGroups:
    """Collects the kernels of samples whose graphs have at least one operator."""
    rows: list[int] = []
    group: list[int] = []
    ms: list[float] = []
    isolated: list[bool] = []
    for sample in samples:
        row_of = table.rows(sample.graph)
        for kernel in kernels_of(sample):
            if kernel.operators:
                rows += [row_of[position] for position in kernel.operators]
                group += [len(ms)] * len(kernel.operators)
                ms.append(max(kernel.ms, _MIN_MS))
                isolated.append(sample.alone)
    return KernelGroups(np.array(rows, np.int64), np.array(group, np.int64), np.array(ms), np.array(isolated, np.bool_))
