"""The A/A check: what differs between two measurements of the same model is noise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from statistics import median

from devices.device import Candidate
from devices.measurement import FailedMeasurement, Measurement, NoiseFloor
from devices.protocol import MeasurementProtocol
from devices.statistics import spread_percent
from foundation.errors import DeviceUnavailableError

GROUPS = 5
"""Fresh processes; each measures the candidate under two labels."""

Measure = Callable[[Sequence[Candidate], MeasurementProtocol, int], Iterator[Measurement | FailedMeasurement]]


def measure_noise_floor(measure: Measure, candidate: Candidate, protocol: MeasurementProtocol, seed: int) -> NoiseFloor:
    """Coefficient of variation over all labels of all groups, of normalised latencies and of plain ones.

    Plain are those that the protocol gives where it does not normalise: medians over blocks, waiting left out.

    Raises:
        DeviceUnavailableError: the candidate cannot be measured.
    """
    twins = [replace(candidate, label=f"{candidate.label} ({twin})") for twin in "AB"]
    normalised: list[float] = []
    raw: list[float] = []
    for group in range(GROUPS):
        for result in measure(twins, replace(protocol, profile_runs=0, normalise=True), seed + group):
            if isinstance(result, FailedMeasurement):
                remedy = "measure another model for the noise floor"
                raise DeviceUnavailableError("A/A check", seen=result.reason, expected="a measurement", remedy=remedy)
            normalised.append(result.latency_ms)
            raw.append(median(block.candidate_ms for block in result.blocks))
    return NoiseFloor(spread_percent(normalised), spread_percent(raw), GROUPS)
