"""Whether the numbers of a measurement are ones that a clock can show.

A runtime, or the clock that it reads, may answer NaN or infinity. Stored, one such number spoils every fit; so the
measurement counts as failed, and the reason names the number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from devices.measurement import FailedMeasurement, Measurement
from foundation.errors import DeviceUnavailableError


def impossible_times(measurement: Measurement) -> str:
    """Which number of the measurement is impossible; empty where none is."""
    for name, values in _positive(measurement):
        for value in values:
            if not 0 < value < math.inf:
                return f"{name} of {value:g}"
    for name, values in _not_negative(measurement):
        for value in values:
            if not 0 <= value < math.inf:
                return f"{name} of {value:g}"
    for row in measurement.operators:
        for value in (row.ms, row.own_ms or 0.0):
            if not 0 <= value < math.inf:
                return f"operator time ({row.kernel}) in ms of {value:g}"
    return ""


def checked(result: Measurement | FailedMeasurement) -> Measurement | FailedMeasurement:
    """The result; a measurement with an impossible number as a failed one with the reason."""
    if isinstance(result, FailedMeasurement):
        return result
    fault = impossible_times(result)
    if not fault:
        return result
    reason = f"the clock of the runtime gave a {fault}, which is no time"
    return FailedMeasurement(result.label, result.model_sha256, result.device, reason, result.started_at)


def required_time(device: str, what: str, value: float) -> float:
    """The time, which must be one.

    Raises:
        DeviceUnavailableError: NaN, infinite, zero or negative.
    """
    if not 0 < value < math.inf:
        raise DeviceUnavailableError(
            f"device {device!r}", seen=f"{what} of {value:g} ms", expected="a time above 0",
            remedy="check the clock of the runtime, or choose another device",
        )  # fmt: skip
    return value


def _positive(measurement: Measurement) -> Iterator[tuple[str, Sequence[float]]]:
    yield "latency in ms", (measurement.latency_ms,)
    yield "interval in ms", measurement.interval_ms
    yield "nominal reference time in ms", (measurement.nominal_reference_ms,)
    yield "median in ms", (measurement.raw_median_ms,)
    yield "percentile in ms", (measurement.minimum_ms, measurement.p90_ms, measurement.p99_ms)
    yield "block time in ms", [ms for block in measurement.blocks for ms in (block.candidate_ms, block.reference_ms)]


def _not_negative(measurement: Measurement) -> Iterator[tuple[str, Sequence[float]]]:
    yield "first run in ms", (measurement.first_run_ms,)
    yield "loading time in ms", (measurement.load_ms,)
    yield "processor time per time", (measurement.cpu_per_wall,)
    yield "waiting time in ms", [block.waited_ms for block in measurement.blocks]
