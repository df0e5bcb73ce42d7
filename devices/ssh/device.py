"""A device of this package on another machine: ``ssh://HOST/cpu``, ``ssh://me@board:2222/ncnn:threads=4``.

Models are converted on this machine and measured there, by the same worker and the same protocol.
"""

from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from devices.device import Availability, Device
from devices.device_info import DeviceInfo
from devices.ssh.address import SshAddress
from devices.ssh.endpoint import endpoint
from devices.ssh.host import SshHost
from devices.ssh.transport import SshTransport
from devices.worker.device import ProcessDevice
from devices.worker.transport import Transport
from foundation.errors import DeviceUnavailableError, UserError

_WORKER = ("numpy", "onnx", "pydantic", "typing_extensions")
"""What every worker imports beside its runtime."""
_OURS = "devices."


class SshDevice(ProcessDevice):
    """The first base of every class that ``device_on`` makes; the second one is the device on the other machine."""

    host: ClassVar[SshHost]
    _name_there: str

    @property
    def name(self) -> str:
        """The machine and the device there; a device that names itself by its options names the second part."""
        return f"{self.host.address}/{self._name_there}"

    @name.setter
    def name(self, name: str) -> None:
        self._name_there = name

    @override
    def availability(self) -> Availability:
        try:
            state = self.host.state()
        except DeviceUnavailableError as error:
            return Availability(False, f"{error.what}: {error.seen}", error.remedy)
        return self._usable_with(frozenset(state.cpu_flags))

    @override
    def info(self) -> DeviceInfo:
        self.require_available()
        state = self.host.state()
        version = state.versions[self.package] or ""
        return self._info(state.hardware, version, state.clock_mhz, state.load_average)

    @property
    @override
    def machine(self) -> str:
        return endpoint(self.host.address)

    @override
    def emulated_by(self) -> str:
        return self.host.state().emulator

    @override
    def other_load(self) -> float:
        return self.host.other_load()

    @override
    def transport(self) -> Transport:
        return SshTransport(self.host)


def device_on(address: SshAddress, kind: type[Device]) -> type[SshDevice]:
    """The class of such devices on that machine.

    Raises:
        UserError: devices of this kind are not for other machines.
    """
    if not (issubclass(kind, ProcessDevice) and kind.over_ssh and kind.runtime.startswith(_OURS)):
        raise UserError(
            f"device of {address}", seen=f"{kind.__name__} behind the name of a machine",
            expected="a device that runs models in a worker of this package", remedy="write for example cpu or ncnn",
        )  # fmt: skip
    host = SshHost(address, (*_WORKER, kind.package, *kind.imports))
    return type(f"Ssh{kind.__name__}", (SshDevice, kind), {"_name_there": kind.name, "host": host})
