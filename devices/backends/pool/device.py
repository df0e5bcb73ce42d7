"""The device ``pool:FILE``: equal devices that a file names, one a line, such as boards behind ``ssh://``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from typing_extensions import override

from devices.device import Device
from devices.pool import DevicePool
from devices.registry import get_device
from foundation.errors import DeviceUnavailableError
from foundation.plugin_options import PluginOptions
from foundation.regular_file import DOCUMENT_BYTES, read_regular


class PoolDevice(DevicePool):
    """The devices of a file: one name a line, as after ``--device``; empty lines and what follows ``#`` do not count.

    Args:
        file: path of the file; the name has the whole path, so that it is one device wherever it is named.
    """

    class Options(PluginOptions):
        """Where the names are."""

        bare: ClassVar[str] = "file"

        file: str = ""

    def __init__(self, *, file: str = "") -> None:
        self.file = str(_whole(file)) if file else ""
        key = "file=" if "=" in self.file else ""
        self.name = f"pool:{key}{self.file}" if file else "pool"

    @override
    def full_name(self, text: str) -> str:
        return text if "," in self.name else self.name  # a comma would begin another option

    @override
    def find_members(self) -> Sequence[Device]:
        if not self.file:
            raise DeviceUnavailableError(
                "device 'pool'", seen="no file", expected="one with the name of a device in each line",
                remedy="write for example --device pool:boards.txt",
            )  # fmt: skip
        members: dict[str, Device] = {}
        for name in self._names():
            member = get_device(name)
            if isinstance(member, DevicePool):
                raise self._refused(f"{name}, which is several devices itself")
            other = members.setdefault(member.machine, member)
            if other is not member:
                raise self._refused(f"{other.name} and {name}, which are on one machine")
        if not members:
            raise self._refused("no name of a device")
        return list(members.values())

    def _names(self) -> list[str]:
        try:
            text = read_regular(Path(self.file), limit=DOCUMENT_BYTES).decode()
        except (OSError, ValueError) as error:
            raise self._refused(getattr(error, "strerror", None) or str(error)) from error
        lines = [line.partition("#")[0].strip() for line in text.splitlines()]
        return [line for line in lines if line]

    def _refused(self, seen: str) -> DeviceUnavailableError:
        return DeviceUnavailableError(
            f"device {self.name!r}", seen=seen, expected="the name of a device in each line, each of another machine",
            remedy="write for example ssh://board1/cpu into the first one",
        )  # fmt: skip


def _whole(file: str) -> Path:
    path = Path(file)
    with suppress(RuntimeError):  # the home folder of somebody who is not known
        path = path.expanduser()
    return path.absolute()
