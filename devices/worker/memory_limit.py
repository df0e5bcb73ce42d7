"""A limit on the memory of a worker: a model that needs more than the machine has left fails, and nothing else does."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path

_SHARE = 0.9
"""Of the memory that is free when the worker starts."""
_GROUP = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""The limit of a container, in both versions of control groups."""


def limit_memory(pid: int = 0) -> None:
    """Limits a process, by default this one, to the memory that is free now.

    Without a limit the system might end any other program.
    ``RLIMIT_DATA`` counts memory that is private and can be written. ``RLIMIT_AS`` would count reserved addresses, too,
    of which drivers of graphics processors take hundreds of gigabytes.
    """
    free = free_bytes()
    if free is None:
        return
    soft, hard = resource.prlimit(pid, resource.RLIMIT_DATA)
    limits = [int(_SHARE * free), *(each for each in (soft, hard) if each != resource.RLIM_INFINITY)]
    resource.prlimit(pid, resource.RLIMIT_DATA, (min(limits), hard))


def free_bytes() -> int | None:
    """Memory that is free in this machine or container; None where the system does not tell."""
    known = []
    with suppress(OSError, StopIteration, ValueError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        known.append(1024 * int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1]))
    for path in _GROUP:
        with suppress(OSError, ValueError):  # "max": no limit
            known.append(int(path.read_text()))
    return min(known, default=None)
