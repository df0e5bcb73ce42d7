"""What can be measured on this machine, and what would disturb the measurements."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from devices import hardware
from devices.device import Device
from devices.registry import COMPILED_TARGETS, DEVICES, get_target
from foundation.errors import DeviceUnavailableError

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "KMP_AFFINITY")
_CALM_LOAD_PER_CORE = 0.5
_STEADY_GOVERNORS = frozenset({"performance"})


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """One device and whether it can be used here."""

    name: str
    kind: str
    """``measured``, ``compiled`` (only asked whether it takes a model) or ``simulated``."""
    available: bool
    reason: str
    """Why not, with the remedy; empty where it is available."""
    runtime: str
    version: str


@dataclass(frozen=True, slots=True)
class Warning_:  # noqa: N801 - ``Warning`` is a built-in
    """Something that makes measurements worse, and what to do about it."""

    what: str
    fix: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Devices and warnings of this machine."""

    devices: tuple[DeviceStatus, ...]
    warnings: tuple[Warning_, ...]


def diagnose() -> Diagnosis:
    """Looks at the devices and at the machine; measures nothing, but a browser is started for its version."""
    devices = tuple(_status(name) for name in (*DEVICES.names, *COMPILED_TARGETS.names))
    return Diagnosis(devices, tuple(_machine_warnings()))


def _status(name: str) -> DeviceStatus:
    device = get_target(name)
    status, kind = device.availability(), "measured" if isinstance(device, Device) else "compiled"
    if not status.available:
        return DeviceStatus(name, kind, False, f"{status.reason}: {status.remedy}", "", "")
    try:
        info = device.info()
    except DeviceUnavailableError as error:
        return DeviceStatus(name, kind, False, f"{error.seen}: {error.remedy}", "", "")
    return DeviceStatus(name, "simulated" if info.simulated else kind, True, "", info.runtime, info.runtime_version)


def _machine_warnings() -> Iterator[Warning_]:
    load, cores, governor = hardware.load_average(), hardware.core_count(), hardware.frequency_governor()
    if load is not None and load > _CALM_LOAD_PER_CORE * cores:
        what = f"load average {load:.1f} on {cores} cores: other processes disturb the timing"
        yield Warning_(what, "close other programs; results stay usable, but measuring takes longer")
    if cores == 1:
        what = "only one core: the operating system runs on the core that is measured"
        yield Warning_(what, "allow this process more cores, or expect wider intervals")
    if governor is not None and governor not in _STEADY_GOVERNORS:
        what = f"frequency governor {governor!r}: the clock changes while measuring"
        yield Warning_(what, "sudo cpupower frequency-set --governor performance")
    if hardware.is_virtual():
        what = "virtual machine: other machines on the same host change its speed"
        yield Warning_(what, "`latseg` divides by a reference network; look at the noise floor that it prints")
    for name in _THREAD_VARIABLES:
        if name in os.environ:
            what = f"environment variable {name}={os.environ[name]} may change the runtimes' threads"
            yield Warning_(what, f"unset {name}")
