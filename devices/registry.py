"""Devices by name."""

from __future__ import annotations

from devices.device import Device
from foundation.errors import UserError

_NAMES = ("cpu", "openvino", "simulated")
_SIMULATED_KEYS = ("noise", "drift", "seed")


def device_names() -> tuple[str, ...]:
    """Every device that ``get_device`` knows, available here or not."""
    return _NAMES


def get_device(name: str, *, threads: int = 1) -> Device:
    """The device of this name; no runtime is loaded.

    Args:
        name: ``cpu``, ``openvino``, ``simulated``, or ``simulated:noise=0.05,drift=0.2,seed=3``.
        threads: of the runtime.

    Raises:
        UserError: no such device, or settings that it does not have.
    """
    base, _, settings = name.partition(":")
    if base not in _NAMES or (settings and base != "simulated"):
        raise UserError("device", seen=repr(name), expected=f"one of {', '.join(_NAMES)}", remedy="choose one of these")
    if threads < 1:
        raise UserError("threads", seen=threads, expected="at least 1", remedy="choose a positive number")
    if base == "simulated":
        return _simulated(name, settings)
    if base == "cpu":
        from devices.backends.ort.device import CpuDevice

        return CpuDevice(threads)
    from devices.backends.ov.device import OpenVinoDevice

    return OpenVinoDevice(threads)


def _simulated(name: str, settings: str) -> Device:
    from devices.backends.simulated.device import SimulatedDevice

    values: dict[str, float] = {}
    for pair in filter(None, settings.split(",")):
        key, _, text = pair.partition("=")
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if key not in _SIMULATED_KEYS or value < 0:
            expected = "simulated:noise=0.05,drift=0.2,seed=3"
            raise UserError("device", seen=repr(name), expected=expected, remedy=f"mend {pair!r}")
        values[key] = value
    return SimulatedDevice(
        noise=values.get("noise", 0.0), drift=values.get("drift", 0.0), seed=int(values.get("seed", 0))
    )
