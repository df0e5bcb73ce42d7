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
from latency.store import MeasurementStore

_logger = logging.getLogger(__name__)

_QUICKEST_PERCENT = 25
_FASTER_PERCENT = 3.0
"""The nominal time is taken again where the reference net was faster than it by more than this: processes of an idle
machine differ by about as much."""


def reference_ms(device: Device, store: MeasurementStore) -> float:
    """The device's nominal time of the reference net: the stored one, else measured now and stored.

    Raises:
        DeviceUnavailableError: the device cannot measure it, or its clock shows no time.
    """
    info = device.info()
    known = store.nominal_reference_ms(info)
    if known is None:
        _logger.info("measuring the reference net on %s", device.name)
        measured = required_time(device.name, "a time of the reference net", device.nominal_reference_ms())
        store.remember_reference(info, measured)
        known = store.nominal_reference_ms(info)  # that of another process, where it was first
        assert known is not None
    _logger.debug("reference net on %s: %.3f ms", device.name, known)
    return known


def refreshed_reference_ms(device: Device, store: MeasurementStore, measurements: Sequence[Measurement]) -> float:
    """The nominal time; taken again where the reference net was faster beside a quarter of the measurements.

    Raises:
        DeviceUnavailableError: as ``reference_ms``.
    """
    known = reference_ms(device, store)
    seen = [median(block.reference_ms for block in one.blocks) for one in measurements if one.blocks]
    if not seen or float(np.percentile(seen, _QUICKEST_PERCENT)) >= known * (1 - _FASTER_PERCENT / 100):
        return known
    again = required_time(device.name, "a time of the reference net", device.nominal_reference_ms())
    _logger.info("reference net on %s: %.4g ms now, %.4g ms before", device.name, again, known)
    store.remember_reference(device.info(), again)
    return min(known, again)
