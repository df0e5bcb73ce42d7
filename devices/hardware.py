"""Properties and present state of this machine."""

from __future__ import annotations

import os
import platform
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_BOARD = Path("/proc/device-tree/model")
_THREAD = Path("/proc/thread-self/exe")
_CLOCK = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq")


def cpu_name() -> str:
    """Model of the processor and the number of its cores, whichever of them this process may use.

    Where the kernel names no processor, as on most boards with Arm cores, the name of the board stands for it.
    """
    name = _cpuinfo().get("model name") or _text(_BOARD) or platform.processor() or platform.machine()
    return f"{name} ({all_cores()} cores)"


def all_cores() -> int:
    """Cores of the machine."""
    return os.cpu_count() or 1


def core_count() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def clock_mhz() -> float | None:
    """Present clock of the first core; None where the system does not report it."""
    mhz, khz = _cpuinfo().get("cpu MHz"), _text(_CLOCK)
    return float(mhz) if mhz else float(khz) / 1000 if khz else None


def load_average() -> float | None:
    """Mean number of runnable processes over the last minute; None where the system does not report it."""
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def is_virtual() -> bool:
    """Whether the processor reports a hypervisor."""
    return "hypervisor" in cpu_flags()


def cpu_flags() -> frozenset[str]:
    """What the first core can do, in the kernel's words; empty where the system does not report it."""
    return frozenset(_cpuinfo().get("flags", "").split())


def emulator() -> str:
    """The program that emulates another processor for this process, such as ``qemu-aarch64``; empty where none does.

    qemu-user shows the emulated program as ``/proc/self/exe``, and forgets that threads have such a link, too.
    """
    try:
        name = _THREAD.readlink().name
    except OSError:
        return ""
    return name if name.startswith("qemu-") else ""


def frequency_governor() -> str | None:
    """The kernel's rule for the clock, e.g. ``powersave``; None where it is not visible."""
    return _text(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")) or None


def _cpuinfo() -> dict[str, str]:
    """Fields of the first core."""
    first, _, _ = _text(_CPUINFO).partition("\n\n")
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _text(path: Path) -> str:
    """Empty where the system has no such file."""
    try:
        return path.read_text().strip(" \n\0")
    except OSError:
        return ""
