"""The noise floor of a device, and whether dividing by the reference net helps there."""

from __future__ import annotations

import logging
import math
from dataclasses import replace

from devices.device import Candidate, Device
from devices.device_info import DeviceInfo
from devices.measurement import NoiseFloor
from devices.protocol import MeasurementProtocol
from foundation.errors import DeviceUnavailableError
from latency.nominal_time import reference_ms
from latency.store import MeasurementStore
from latency.store_reading import StoredMeasurements

_logger = logging.getLogger(__name__)

_SIGNIFICANT_RATIO = 1.8
"""Two spreads of ten measurements each differ by chance by less than this (F-test, 9 and 9 degrees, 5 %: 3.18^0.5)."""


def noise_floor(
    device: Device,
    store: MeasurementStore,
    candidate: Candidate,
    *,
    protocol: MeasurementProtocol | None = None,
    seed: int = 0,
) -> NoiseFloor:
    """The device's A/A check: the stored one, else taken now on ``candidate`` and stored.

    Raises:
        DeviceUnavailableError: the candidate cannot be measured, or the clock shows no times.
    """
    info = device.info()
    known = store.noise_floor(info)
    if known is None:
        _logger.info("A/A check on %s with %s", device.name, candidate.label)
        nominal_ms = reference_ms(device, store)
        known = device.noise_floor(
            candidate, nominal_reference_ms=nominal_ms, protocol=protocol or MeasurementProtocol(), seed=seed
        )
        for percent in (known.normalised_percent, known.raw_percent):
            if not math.isfinite(percent):
                raise DeviceUnavailableError(
                    f"device {device.name!r}", seen=f"a noise floor of {percent} %", expected="a finite one",
                    remedy="check the clock of the runtime, or choose another device",
                )  # fmt: skip
        store.remember_noise_floor(info, known)
    return known


def adapt_protocol(protocol: MeasurementProtocol, noise_floor: NoiseFloor | None) -> MeasurementProtocol:
    """The protocol, without normalisation where the A/A check showed that normalisation increases the spread.

    On a quiet machine both spreads are small and either may be the smaller one by chance; normalisation is kept there,
    since the machine need not stay quiet.
    """
    if noise_floor is None or noise_floor.normalised_percent <= _SIGNIFICANT_RATIO * noise_floor.raw_percent:
        return protocol
    _logger.info("normalisation is off: the A/A check found %s", noise_floor)
    return replace(protocol, normalise=False)


def normalising_ms(info: DeviceInfo, store: StoredMeasurements) -> float | None:
    """The nominal time of which the device's latencies are multiples; None where they are plain times."""
    normalise = adapt_protocol(MeasurementProtocol(), store.noise_floor(info)).normalise
    return store.nominal_reference_ms(info) if normalise else None
