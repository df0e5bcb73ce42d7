"""How much repeated measurements of a net differ, taken by other processes at other moments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from math import exp
from statistics import fmean, median

from devices.counted_blocks import counted_blocks
from devices.measurement import Measurement, NoiseFloor
from devices.statistics import spread_percent

_LEAST_NETS = 10
"""Fewer say less than the A/A check."""
_DEVIATIONS = 1.96 * 2**0.5
"""95 % of the differences of two measurements are smaller than so many standard deviations of one."""


def repeatability(measurements: Sequence[Measurement]) -> NoiseFloor | None:
    """Root mean square over the nets of the spread of one measurement; None where too few nets were repeated.

    Nets are told by their labels. Plain latencies are medians over the blocks that count.
    """
    by_label: defaultdict[str, list[Measurement]] = defaultdict(list)
    for one in measurements:
        by_label[one.label].append(one)
    repeated = [of_net for of_net in by_label.values() if len(of_net) > 1]
    if len(repeated) < _LEAST_NETS:
        return None
    normalised, plain = (_spread(repeated, latency) for latency in (_latency_ms, _plain_ms))
    return NoiseFloor(normalised, plain, max(map(len, repeated)))


def repeat_interval_ms(measurement: Measurement, noise_floor: NoiseFloor) -> tuple[float, float]:
    """In which 95 % of repeated measurements lie: by the device's noise floor, and no narrower than its own interval.

    The interval of the measurement's own blocks does not know how processes and moments differ.
    """
    percent = noise_floor.normalised_percent if measurement.normalised else noise_floor.raw_percent
    factor = exp(_DEVIATIONS * percent / 100)
    low, high = measurement.interval_ms
    return min(low, measurement.latency_ms / factor), max(high, measurement.latency_ms * factor)


def _spread(repeated: Sequence[Sequence[Measurement]], latency: Callable[[Measurement], float]) -> float:
    variances = [spread_percent([latency(one) for one in of_net]) ** 2 for of_net in repeated]
    return float(fmean(variances) ** 0.5)


def _latency_ms(one: Measurement) -> float:
    return one.latency_ms


def _plain_ms(one: Measurement) -> float:
    quiet_percent = float(one.protocol.get("quiet_percent", "inf"))
    return median(block.candidate_ms for block in counted_blocks(one.blocks, quiet_percent))
