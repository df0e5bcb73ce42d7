"""How long threads were ready to run while the operating system ran another process on the core.

On a busy machine this wait is most of the noise in a wall-clock time, and the model causes none of it. Subtracting it
removes nothing else, unlike CPU time: sleeping, waiting for other threads and waiting for memory still count.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Self

_TASKS = Path("/proc/self/task")
_SNAPSHOT_ATTEMPTS = 20


class RunQueue:
    """Run-queue wait of threads; always 0 on systems other than Linux.

    The counters are opened in advance: opening one takes fifty times as long as reading it.
    Source: ``/proc/<pid>/task/<tid>/schedstat``, nanoseconds spent running and nanoseconds spent waiting on a run queue
    (Documentation/scheduler/sched-stats.rst of the Linux kernel).

    Args:
        tasks: folders of the threads; by default the present ones of this process.
    """

    def __init__(self, tasks: Iterable[Path] | None = None) -> None:
        self._tasks = tasks
        self._counters: list[int] = []

    def __enter__(self) -> Self:
        try:
            for task in _TASKS.iterdir() if self._tasks is None else self._tasks:
                self._counters.append(os.open(task / "schedstat", os.O_RDONLY))
        except OSError:
            self._close()
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def snapshot(self) -> tuple[int, int]:
        """Clock and wait at the same moment, in nanoseconds.

        If the process lost the core between the two readings, only one of them would include that time (seen in one
        block of fifty on a crowded machine, with a wait of up to twice the block). Therefore the clock is read between
        two equal readings of the counters.
        """
        waited = self._waited_ns()
        for _ in range(_SNAPSHOT_ATTEMPTS):
            clock = time.perf_counter_ns()
            again = self._waited_ns()
            if again == waited:
                break
            waited = again
        return clock, waited

    def ran_ns(self) -> int:
        """Processor time of the threads."""
        return self._sum(0)

    def _waited_ns(self) -> int:
        return self._sum(1)

    def _sum(self, field: int) -> int:
        try:
            return sum(int(os.pread(counter, 80, 0).split()[field]) for counter in self._counters)
        except (OSError, IndexError, ValueError):  # a thread has ended, and its counter with it
            self._close()
            return 0

    def _close(self) -> None:
        for counter in self._counters:
            os.close(counter)
        self._counters.clear()
