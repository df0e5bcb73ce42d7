"""Whether to divide by the reference net: what the A/A check says about it."""

from __future__ import annotations

from dataclasses import replace

from devices.measurement import NoiseFloor
from devices.protocol import MeasurementProtocol

SIGNIFICANT_RATIO = 1.8
"""Two spreads of ten measurements each differ by chance by less than this (F-test, 9 and 9 degrees, 5 %: 3.18^0.5)."""


def settle(protocol: MeasurementProtocol, noise_floor: NoiseFloor | None) -> MeasurementProtocol:
    """The protocol, without normalising where the A/A check showed that normalising makes things worse.

    On a quiet machine both spreads are small and either may be the smaller one by chance; normalising is kept there,
    since the machine need not stay quiet.
    """
    if noise_floor is None or noise_floor.normalised_percent <= SIGNIFICANT_RATIO * noise_floor.raw_percent:
        return protocol
    return replace(protocol, normalise=False)
