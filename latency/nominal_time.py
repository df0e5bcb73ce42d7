"""The nominal time of the reference net: the unit of a device's latencies in milliseconds.

Other work on the machine makes the net slower, never faster. So the least nominal time that was taken counts, and it is
taken again where measurements show that the machine has become quieter; the store then reads all times on the new
scale.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from statistics import median

import numpy as np

from devices.device import Device
from devices.measurement import Measurement
from devices.plausible import required_time
from foundation.errors import DeviceUnavailableError
from latency.store import MeasurementStore

_logger = logging.getLogger(__name__)

_QUICKEST_PERCENT = 25
_TRIES = 3
_FASTER_PERCENT = 3.0
"""The nominal time is taken again where the reference net was faster than it by more than this: processes of an idle
machine differ by about as much."""


def reference_ms(device: Device, store: MeasurementStore) -> float:
    """The device's nominal time of the reference net in milliseconds: the stored one, else measured now and stored.

    Raises:
        DeviceUnavailableError: the device cannot measure it, or its clock shows no time.
    """
    known = store.nominal_reference_ms(device.info())
    if known is None:
        _logger.info("measuring the reference net on %s", device.name)
        known = _measured_again(device, store)
    _logger.debug("reference net on %s: %.3f ms", device.name, known)
    return known


def refreshed_reference_ms(device: Device, store: MeasurementStore, measurements: Sequence[Measurement]) -> float:
    """The nominal time; taken again where the reference net was faster beside a quarter of the measurements.

    Where that did not lower it three times in a row it is not tried again: the reference net is faster beside other
    nets than alone. A failure leaves the nominal time as it is.
    """
    known = reference_ms(device, store)
    seen = [median(block.reference_ms for block in one.blocks) for one in measurements if one.blocks]
    faster = seen and float(np.percentile(seen, _QUICKEST_PERCENT)) < known * (1 - _FASTER_PERCENT / 100)
    if not faster or store.reference_times_since_the_least(device.info()) >= _TRIES:
        return known
    try:
        least = _measured_again(device, store)
    except DeviceUnavailableError as error:
        _logger.warning("the nominal time of the reference net was not taken again: %s", error)
        return known
    _logger.info("nominal time of the reference net on %s: %.4g ms, before %.4g ms", device.name, least, known)
    return least


def _measured_again(device: Device, store: MeasurementStore) -> float:
    """Measures and stores the nominal time; returns the least one stored, which may be another process's."""
    info = device.info()
    measured = required_time(device.name, "a time of the reference net", device.nominal_reference_ms())
    store.remember_reference(info, measured)
    least = store.nominal_reference_ms(info)
    assert least is not None
    return least
