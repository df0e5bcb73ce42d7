"""A device of this package on another machine: ``ssh://HOST/cpu``, ``ssh://me@board:2222/ncnn:threads=4``.

Models are converted on this machine and measured there, by the same worker and the same protocol.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from typing_extensions import override

from devices.device import Availability, Candidate, Device
from devices.device_info import DeviceInfo
from devices.protocol import MeasurementProtocol
from devices.ssh.address import SshAddress
from devices.ssh.host import SshHost
from devices.ssh.transport import SshTransport
from devices.worker.device import ProcessDevice
from devices.worker.group import Result
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
            self.host.state()
        except DeviceUnavailableError as error:
            return Availability(False, f"{error.what}: {error.seen}", error.remedy)
        return self.conversion()

    @override
    def info(self) -> DeviceInfo:
        self.require_available()
        state = self.host.state()
        version = state.versions[self.package] or ""
        processor = f"{state.hardware}, emulated by {state.emulator}" if state.emulator else state.hardware
        return self._info(processor, version, state.clock_mhz, state.load_average)

    @override
    def measure(
        self,
        candidates: Sequence[Candidate],
        *,
        nominal_reference_ms: float,
        protocol: MeasurementProtocol,
        seed: int = 0,
    ) -> Iterator[Result]:
        info = self.info()
        if self.host.state().emulator:
            raise DeviceUnavailableError(
                f"device {self.name!r}", seen=info.hardware, expected="a processor whose times mean something",
                remedy="use it for `latseg check` only, which compares outputs",
            )  # fmt: skip
        return super().measure(candidates, nominal_reference_ms=nominal_reference_ms, protocol=protocol, seed=seed)

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
