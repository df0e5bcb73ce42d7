"""How an exporter comes by the device of a name."""

from __future__ import annotations

from typing import Protocol

from devices.device import Device


class GetDevice(Protocol):
    """``devices.registry.get_device``, or what stands in for it."""

    def __call__(self, name: str, /, *, threads: int = 1) -> Device:
        """The device of this name."""
