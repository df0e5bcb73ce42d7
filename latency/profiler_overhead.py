"""Time that a runtime's profiler adds to each kernel, told by the nets that were measured with and without it.

The profiler reads the clock around each kernel, which may take as long as a small kernel. Within nets that is
corrected, since operator times are scaled to the latency without the profiler. A model of one operator takes mostly
other time than its kernel's, so its kernel is corrected by what nets tell.
"""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median
from typing import NamedTuple

from devices.measurement import Measurement

_MIN_NETS = 8
_SHORTEST_SHARE = 0.25
"""Nets with the shortest kernels, in which the overhead is largest beside the scatter of a measurement."""
_LEFT_SHARE = 0.25
"""Of a kernel's profiled time, which is left at least."""


class ProfiledKernels(NamedTuple):
    """Of one net, in milliseconds."""

    mean_ms: float
    """Latency without the profiler for each kernel."""
    excess_ms: float
    """What the sum of the profiled times is above the latency, for each kernel; negative by chance."""


def profiled_kernels(measurement: Measurement) -> ProfiledKernels | None:
    """None where the runtime gave no times of its own.

    ``own_ms`` / ``ms`` is the sum of the profiled times over the latency, for every row to which no reorder is charged.
    """
    rows = [(row.own_ms, row.ms) for row in measurement.operators if row.own_ms and row.ms > 0]
    if not rows:
        return None
    mean_ms = measurement.latency_ms / len(rows)
    return ProfiledKernels(mean_ms, mean_ms * (max(own_ms / ms for own_ms, ms in rows) - 1))


def profiler_overhead_ms(nets: Iterable[ProfiledKernels]) -> float:
    """Milliseconds for each kernel; 0 where too few nets tell."""
    ordered = sorted(nets)
    if len(ordered) < _MIN_NETS:
        return 0.0
    shortest = ordered[: max(_MIN_NETS, round(_SHORTEST_SHARE * len(ordered)))]
    return max(0.0, median(net.excess_ms for net in shortest))


def without_overhead(own_ms: float, overhead_ms: float) -> float:
    """The time of a kernel without the profiler."""
    return max(own_ms - overhead_ms, _LEFT_SHARE * own_ms)
