"""What the agent says of the machine on which it runs."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass

from devices import hardware
from devices.package_version import package_version


@dataclass(frozen=True, slots=True)
class HostState:
    """A machine, its interpreter, and the packages that a worker needs. Nothing of it is looked up on this machine."""

    folder: str
    """The agent's own; all files that it writes lie below."""
    files: str
    """Folder for the models of one connection; removed with it."""
    python: str
    hardware: str
    emulator: str
    """Where the processor is emulated: the program that does it. Else empty."""
    cpu_flags: tuple[str, ...]
    clock_mhz: float | None
    load_average: float | None
    versions: dict[str, str | None]
    """By package; None where it cannot be imported."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Packages that have to be installed there."""
        return tuple(name for name, version in self.versions.items() if version is None)


def state_here(folder: str, files: str, packages: Sequence[str]) -> HostState:
    """The state of the machine that runs this function."""
    return HostState(
        folder=folder,
        files=files,
        python=platform.python_version(),
        hardware=hardware.cpu_name(),
        emulator=hardware.emulator(),
        cpu_flags=tuple(sorted(hardware.cpu_flags())),
        clock_mhz=hardware.clock_mhz(),
        load_average=hardware.load_average(),
        versions={name: package_version(name) for name in packages},
    )
