"""What can be measured on this machine, and what would disturb the measurements."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from devices import hardware
from devices.registry import COMPILED_TARGETS, DEVICES, get_target

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "KMP_AFFINITY")
_CALM_LOAD_PER_CORE = 0.5
_STEADY_GOVERNORS = frozenset({"performance"})


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """One device and whether it can be used here."""

    name: str
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
    """Looks at the devices and at the machine; takes milliseconds and measures nothing."""
    devices = tuple(_status(name) for name in (*DEVICES.names, *COMPILED_TARGETS.names))
    missing = [
        Warning_(f"device {device.name} cannot be used", device.reason) for device in devices if not device.available
    ]
    return Diagnosis(devices, (*missing, *_machine_warnings()))


def _status(name: str) -> DeviceStatus:
    device = get_target(name)
    status = device.availability()
    if not status.available:
        return DeviceStatus(name, False, f"{status.reason}: {status.remedy}", "", "")
    info = device.info()
    return DeviceStatus(name, True, "", info.runtime, info.runtime_version)


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
