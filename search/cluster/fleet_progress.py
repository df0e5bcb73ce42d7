"""The progress of a search together with that of its workers, and of the devices of its pools."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from devices.device import Device
from devices.pool import DevicePool
from devices.pool_units import PoolUnits
from foundation.progress import OnProgress, Progress
from search.cluster.workers import Fleet


class FleetProgress:
    """A progress callback that adds the state of the workers, or of a pool's devices, to every moment of a search.

    Args:
        on_progress: is called with each moment, and with the latest one again where the state has changed.
    """

    def __init__(self, on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self._moment: Progress | None = None
        self._fleet: Fleet | PoolUnits | None = None

    def __call__(self, moment: Progress) -> None:
        """A moment of the search."""
        self._moment = moment
        note = ", ".join(text for text in (moment.note, str(self._fleet or "")) if text)
        self._on_progress(replace(moment, note=note))

    def tell(self, fleet: Fleet | PoolUnits) -> None:
        """The state now."""
        if fleet != self._fleet:
            self._fleet = fleet
            if self._moment is not None:
                self(self._moment)


def tell_of_pools(devices: Iterable[Device], on_progress: OnProgress) -> OnProgress:
    """The progress callback that tells of the devices of each pool among ``devices``, too.

    Raises:
        DeviceUnavailableError: a pool has no device that can be used.
    """
    for device in devices:
        if isinstance(device, DevicePool):
            progress = FleetProgress(on_progress)
            progress.tell(device.unit_counts())
            device.on_units = progress.tell
            on_progress = progress
    return on_progress
