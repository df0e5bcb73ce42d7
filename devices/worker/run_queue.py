"""How long this process wanted to run while the operating system had given the core to another one.

On a busy machine that is most of the noise in a wall-clock time, and none of it is the model's. Unlike CPU time it
takes nothing else away: a runtime that sleeps, waits for its own threads or for memory pays for it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_TASKS = Path("/proc/self/task")
_SNAPSHOT_ATTEMPTS = 20


class RunQueue:
    """Waiting of the threads that this process has now; always 0 where the system does not tell (only Linux does).

    The counters are opened beforehand, because opening them takes fifty times as long as reading them.
    Source: second field of ``/proc/<pid>/task/<tid>/schedstat``, nanoseconds spent waiting on a run queue
    (Documentation/scheduler/sched-stats.rst of the Linux kernel).
    """

    def __init__(self) -> None:
        self._counters: list[int] = []

    def __enter__(self) -> Self:
        try:
            for task in _TASKS.iterdir():
                self._counters.append(os.open(task / "schedstat", os.O_RDONLY))
        except OSError:
            self._close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def snapshot(self) -> tuple[int, int]:
        """Clock and waiting, in nanoseconds, of the same moment.

        A process that loses the core between reading the one and the other would book that time in only one of them
        (seen in one block of fifty on a crowded machine, where the wait was up to twice the block), so the clock is
        read between two readings of the counters that agree.
        """
        waited = self._waited_ns()
        for _ in range(_SNAPSHOT_ATTEMPTS):
            clock = time.perf_counter_ns()
            again = self._waited_ns()
            if again == waited:
                break
            waited = again
        return clock, waited

    def _waited_ns(self) -> int:
        try:
            return sum(int(os.pread(counter, 80, 0).split()[1]) for counter in self._counters)
        except (OSError, IndexError, ValueError):  # a thread has ended: its count is gone
            self._close()
            return 0

    def _close(self) -> None:
        for counter in self._counters:
            os.close(counter)
        self._counters.clear()
