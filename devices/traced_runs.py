"""Times of kernels over several runs of a model under a runtime's profiler."""

from __future__ import annotations

from collections.abc import Sequence

from devices.statistics import interquartile_mean
from devices.worker.runtime import ModelFailedError


def mean_times(runs: Sequence[Sequence[float]]) -> list[float]:
    """The mean time of each kernel, in the unit and the order in which each run gives them.

    Raises:
        ModelFailedError: there is no run, or the runs traced different numbers of kernels.
    """
    counts = sorted({len(run) for run in runs})
    if len(counts) != 1:
        raise ModelFailedError(f"the profiler traced {' or '.join(map(str, counts)) or 'no'} kernels in a run")
    return [interquartile_mean(times) for times in zip(*runs, strict=True)]
