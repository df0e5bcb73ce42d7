"""How much repeated measurements of a net differ, taken by other processes at other moments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import exp
from statistics import fmean

from devices.counted_blocks import median_ratio, plain_ms
from devices.device import PROCESSES
from devices.measurement import Measurement, NoiseFloor
from devices.statistics import spread_percent

_OTHER_MOMENTS_PERCENT = 1.2
"""Standard deviation of one measurement of 15 blocks over an hour on an idle machine (1.14 and 1.13 %)."""
_MIN_NETS = 10
"""Fewer say less than the A/A check."""
_REPEAT_FACTOR = 1.96 * 2**0.5
"""95 % of the differences of two measurements are smaller than so many standard deviations of one."""


def repeatability(measurements: Sequence[Measurement]) -> NoiseFloor | None:
    """Root mean square over the nets of the spread of one measurement; None where too few nets were repeated.

    Nets are told by their labels. Both spreads are computed from the counted blocks, whether or not the device's
    latencies are normalised.
    """
    by_label: defaultdict[str, list[Measurement]] = defaultdict(list)
    for one in measurements:
        by_label[one.label].append(one)
    repeated = [of_net for of_net in by_label.values() if len(of_net) > 1]
    if len(repeated) < _MIN_NETS:
        return None
    normalised, plain = (
        _spread([[latency(one.blocks, _quiet_percent(one)) for one in of_net] for of_net in repeated])
        for latency in (median_ratio, plain_ms)
    )
    return NoiseFloor(normalised, plain, sum(map(len, repeated)))


def repeat_interval_ms(measurement: Measurement, noise_floor: NoiseFloor) -> tuple[float, float]:
    """Interval in milliseconds that contains 95 % of repeated measurements.

    It is computed from the device's noise floor and is never narrower than the measurement's own interval. The A/A
    check is one moment; what other moments differ is then taken from the machine of ``benchmarks/passes.py``.
    """
    percent = noise_floor.percent_of(measurement)
    if noise_floor.repeats <= PROCESSES and not measurement.simulated:
        percent = max(percent, _OTHER_MOMENTS_PERCENT)
    factor = exp(_REPEAT_FACTOR * percent / 100)
    low, high = measurement.interval_ms
    return min(low, measurement.latency_ms / factor), max(high, measurement.latency_ms * factor)


def _spread(repeated: Sequence[Sequence[float]]) -> float:
    return float(fmean(spread_percent(latencies) ** 2 for latencies in repeated) ** 0.5)


def _quiet_percent(one: Measurement) -> float:
    return float(one.protocol.get("quiet_percent", "inf"))
