"""The noise floor of the device that a campaign measures: by an A/A check first, then by the campaign's repeats."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from devices.device import Device
from devices.measurement import Measurement, NoiseFloor
from devices.protocol import MeasurementProtocol
from foundation.errors import DeviceUnavailableError
from latency.campaign_items import CampaignItem
from latency.campaign_models import written_models
from latency.noise_floor import noise_floor
from latency.repeatability import repeatability
from latency.store import MeasurementStore

_logger = logging.getLogger(__name__)


def checked_noise_floor(
    device: Device,
    store: MeasurementStore,
    items: Sequence[CampaignItem],
    folder: Path,
    protocol: MeasurementProtocol,
    seed: int,
) -> NoiseFloor | None:
    """The stored one, or an A/A check on the net of median size (on another where that one cannot be measured)."""
    known = store.noise_floor(device.info())
    nets = sorted((item for item in items if item.source != "operator"), key=lambda item: item.graph.flops)
    if known is not None or not nets:
        return known
    middle = len(nets) // 2
    for item in (nets[middle], nets[middle // 2], nets[0]):
        with written_models([item], folder, lambda *_: None) as candidates:
            if not candidates:
                continue
            try:
                return noise_floor(device, store, candidates[0], protocol=protocol, seed=seed)
            except DeviceUnavailableError as error:
                _logger.warning("no A/A check on %s: %s", item.label, error)
    return None


def measured_nets(device: Device, store: MeasurementStore, items: Sequence[CampaignItem]) -> list[Measurement]:
    """All measurements of the campaign's nets on the device."""
    labels = {item.label for item in items if item.source != "operator"}
    stored = store.measurements(device.info().fingerprint)
    return [one.measurement for one in stored if one.measurement.label in labels]


def noise_floor_of_repeats(
    device: Device, store: MeasurementStore, measurements: Sequence[Measurement]
) -> NoiseFloor | None:
    """What repeated measurements tell, stored; the one known before where they tell nothing new."""
    info = device.info()
    known, told = store.noise_floor(info), repeatability(measurements)
    if told is None or told == known:
        return known
    store.remember_noise_floor(info, told)
    return told
