"""On which scale a certificate is measured again: whether this machine is as fast as the one of the certificate.

A fingerprint names hardware and software. Two virtual machines of one name can differ in speed, and a fingerprint can
be copied into a forged certificate. So this machine's own time of the reference net decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from devices.device import Device
from export.bundle.certificate import Certificate

NOISE_RATIO = 1.10
"""Nominal reference times of one busy virtual machine, taken over a day, lay within a factor of 1.08."""
_ATTEMPTS = 3
"""Other work on the machine makes the reference net slower, never faster: the fastest of a few nominal times counts."""

KnownReference = Callable[[Device], float | None]
"""The nominal reference time of a device that was measured on this machine before, or None."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The reference time by which a new measurement is normalised; ``note`` is empty on the certificate's machine."""

    nominal_ms: float
    note: str = ""


def scale_of(device: Device, certificate: Certificate, known: KnownReference) -> Scale:
    """The scale for measuring on ``device`` what ``certificate`` certifies.

    Where the set-up is the certificate's and the reference times of both agree within noise, they are one time that
    was measured twice, and the certificate's is used: both latencies are then on one scale. Otherwise this machine's
    own time is used, and the note says why.
    """
    info = device.info()
    if info.fingerprint != certificate.device.fingerprint:
        here = f"{info.hardware}, {info.runtime} {info.runtime_version}, threads: {info.threads}"
        return Scale(_own_ms(device, known), f"another machine or set-up ({here})")
    certified_ms = certificate.nominal_reference_ms
    own_ms = _own_ms(device, known)
    for _ in range(_ATTEMPTS - 1):
        if _within_noise(own_ms, certified_ms):
            return Scale(certified_ms)
        own_ms = min(own_ms, device.nominal_reference_ms())
    if _within_noise(own_ms, certified_ms):
        return Scale(certified_ms)
    times = f"the reference net takes {own_ms:.3f} ms here, {certified_ms:.3f} ms in the certificate"
    return Scale(own_ms, f"another machine of the same name ({times})")


def _own_ms(device: Device, known: KnownReference) -> float:
    stored = known(device)
    return device.nominal_reference_ms() if stored is None else stored


def _within_noise(first_ms: float, second_ms: float) -> bool:
    return max(first_ms / second_ms, second_ms / first_ms) <= NOISE_RATIO
