"""The device ``cluster:DEVICE``: the machines of a Ray cluster that declare this device, as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field
from typing_extensions import override

from devices.cluster.connection import AUTO, INSTALL, connect, installed, started_here
from devices.cluster.node_device import RESOURCE, NodeDevice
from devices.device import Availability, Device
from devices.pool import DevicePool
from devices.registry import get_device
from foundation.errors import DeviceUnavailableError, UserError
from foundation.plugin_options import PluginOptions


class ClusterDevice(DevicePool):
    """The cluster is that of this machine, or the one that ``RAY_ADDRESS`` names.

    Args:
        device: name of the device on its machines, which were started with
            ``ray start --resources '{"latseg-device:DEVICE": 1}'``.
        threads: of its runtime.
    """

    class Options(PluginOptions):
        """Which device of the machines."""

        bare: ClassVar[str] = "device"

        device: str = ""
        threads: Annotated[int, Field(ge=1)] | None = None

    def __init__(self, *, device: str = "", threads: int | None = None) -> None:
        self.device, self.threads = device, threads
        self.name = f"cluster:{device}" if device else "cluster"
        self.name += f",threads={threads}" if device and threads else ""

    @override
    def availability(self) -> Availability:
        if not installed():
            return Availability(False, "Ray is not installed", INSTALL)
        if not started_here():
            return Availability(False, "no Ray cluster here", "start one with `ray start --head`, or set RAY_ADDRESS")
        return super().availability()

    @override
    def find_members(self) -> Sequence[Device]:
        if not self.device:
            raise self._refused("no device", "write for example --device cluster:cpu")
        kind = get_device(self.device, threads=self.threads)
        if isinstance(kind, DevicePool):
            raise self._refused(f"{kind.name}, which is several devices itself", "name the device of one machine")
        try:
            ray = connect(AUTO).ray
        except UserError as error:
            raise self._refused(str(error.seen), error.remedy) from error
        resource = f"{RESOURCE}{self.device}"
        machines = [one for one in ray.nodes() if one["Alive"] and one["Resources"].get(resource, 0) >= 1]
        if not machines:
            start = f"""`ray start --address ADDRESS --resources '{{"{resource}": 1}}'`"""
            raise self._refused(f"no machine with the resource {resource}", f"start one with {start}")
        return [NodeDevice(ray, machine, kind, self.device, self.threads) for machine in machines]

    def _refused(self, seen: str, remedy: str) -> DeviceUnavailableError:
        return DeviceUnavailableError(
            f"device {self.name!r}", seen=seen, expected="a cluster with machines that have this device", remedy=remedy
        )
