"""How long this process wanted to run while the operating system had given the core to another one.

On a busy machine that is most of the noise in a wall-clock time, and none of it is the model's. Unlike CPU time it
takes nothing else away: a runtime that sleeps, waits for its own threads or for memory pays for it.
"""

from __future__ import annotations

from pathlib import Path

_TASKS = Path("/proc/self/task")


def waited_ms() -> float:
    """Total over the threads of this process since they began; 0 where the system does not tell (only Linux does).

    Source: second field of ``/proc/<pid>/task/<tid>/schedstat``, nanoseconds spent waiting on a run queue
    (Documentation/scheduler/sched-stats.rst of the Linux kernel).
    """
    total = 0
    try:
        for task in _TASKS.iterdir():
            total += int((task / "schedstat").read_bytes().split()[1])
    except (OSError, IndexError, ValueError):
        return 0.0
    return total / 1e6
