"""What a device is: the fingerprint that measurements, predictors and certificates are tied to."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field

_ALWAYS = ("name", "hardware", "runtime", "runtime_version", "threads", "precision")
_IDENTITY = (*_ALWAYS, "protocol_version", "settings")


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """Identity and state of a device.

    ``fingerprint`` covers what decides latency (hardware, runtime and version, threads, precision, settings) and how it
    is measured (version of the protocol), and leaves out what only describes the moment (clock, load) or the unit.
    """

    name: str
    hardware: str
    runtime: str
    runtime_version: str
    threads: int
    precision: str
    simulated: bool = False
    protocol_version: int = 1
    """``devices.protocol.PROTOCOL_VERSION``; latencies of different versions are not comparable."""
    settings: tuple[tuple[str, str], ...] = ()
    """Further settings that decide latency, as pairs of name and value: execution provider, set of cores."""
    clock_mhz: float | None = field(default=None, compare=False)
    load_average: float | None = field(default=None, compare=False)
    unit: str = field(default="", compare=False)
    """Which one of several equal devices it was; empty where there is one."""

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits of SHA-256 over the identity fields."""
        identity: list[object] = [getattr(self, name) for name in _ALWAYS]
        identity += [self.protocol_version] if self.protocol_version > 1 else []  # the first had no number
        identity += [self.settings] if self.settings else []  # older fingerprints had none
        return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]

    def differences(self, other: DeviceInfo) -> tuple[str, ...]:
        """Names of the fields in which the two fingerprints differ; empty where they are equal."""
        return tuple(name for name in _IDENTITY if getattr(self, name) != getattr(other, name))

    def to_json(self) -> dict[str, object]:
        """Plain JSON object, fingerprint included."""
        return {**asdict(self), "fingerprint": self.fingerprint}
