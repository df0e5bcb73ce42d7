"""The state of a pool's devices."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PoolUnits:
    """How many devices a pool has, and what becomes of them."""

    devices: int
    """Those that are used."""
    measuring: int
    left_out: int
    """Devices that could not be used at the beginning, or failed later."""

    def __str__(self) -> str:
        left_out = f", {self.left_out} left out" if self.left_out else ""
        return f"{self.devices} device{'s' * (self.devices != 1)}, {self.measuring} measuring{left_out}"
