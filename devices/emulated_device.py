"""The contract of an emulated device: a runtime whose kernels run on other hardware than the one they are made for."""

from __future__ import annotations

from devices.target import RunningTarget


class EmulatedDevice(RunningTarget):
    """Shows that outputs are equal, and nothing about time: there is no ``measure``, hence no certificate.

    Equal outputs in an emulator are no proof for the hardware; whoever reports them names the emulator.
    """
