"""What runs a file of a bundle for its parity: a device, or the emulator of a compiled target."""

from __future__ import annotations

from devices.compiled_target import CompiledTarget
from devices.registry import COMPILED_TARGETS, get_target
from devices.target import RunningTarget
from export.exporter import GetDevice
from foundation.errors import DeviceUnavailableError


def runner_of(name: str, get_device: GetDevice) -> RunningTarget:
    """The device of this name, or the emulator of the compiled target.

    Raises:
        UserError: no such device.
        DeviceUnavailableError: a compiled target without an emulator.
    """
    if name.partition(":")[0] not in COMPILED_TARGETS.names:
        return get_device(name)
    target = get_target(name)
    assert isinstance(target, CompiledTarget)
    if target.emulator is None:
        raise DeviceUnavailableError(
            f"target {name!r}", seen="a compiler without an emulator", expected="one that runs files",
            remedy="run the file on the hardware",
        )  # fmt: skip
    return target.emulator
