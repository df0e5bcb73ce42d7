"""How busy the machine is with other programs, looked at while none of ours runs."""

from __future__ import annotations

import time
from pathlib import Path

from devices import hardware

_STAT = Path("/proc/stat")
BUSY_CORES = 0.2
"""Cores in use by others from which on a measurement that misses its budget decides nothing."""


def other_load(seconds: float = 0.5) -> float:
    """Cores that other programs used during ``seconds``, in which the caller runs nothing.

    Time that the hypervisor gave to other virtual machines counts, too. Systems without ``/proc/stat`` report their
    load average. Source: proc_stat(5), fields of the line ``cpu``.
    """
    before = _times()
    if before is None:
        return hardware.load_average() or 0.0
    time.sleep(seconds)
    after = _times()
    if after is None:
        return 0.0
    busy, total = (now - then for now, then in zip(after, before, strict=True))
    return busy / total * hardware.all_cores() if total else 0.0


def _times() -> tuple[int, int] | None:
    """Ticks since the start that all cores spent busy, and altogether."""
    try:
        fields = [int(field) for field in _STAT.read_text().partition("\n")[0].split()[1:9]]
    except (OSError, ValueError):
        return None
    if len(fields) < 8:
        return None
    user, nice, system, idle, waiting, interrupts, soft_interrupts, stolen = fields
    busy = user + nice + system + interrupts + soft_interrupts + stolen
    return busy, busy + idle + waiting
