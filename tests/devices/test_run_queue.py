import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devices import run_queue
from devices.run_queue import waited_ms
from devices.session import ClockedSession, OperatorProfile


class Spinning(ClockedSession):
    """Needs a fixed amount of CPU time."""

    load_ms = 1.0

    def run(self) -> None:
        end = time.thread_time() + 0.03
        while time.thread_time() < end:
            pass

    def profile(self, runs: int) -> OperatorProfile:
        return OperatorProfile("none")


@pytest.fixture
def crowded_core() -> Iterator[None]:
    """This process and two busy ones share one core."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
        for other in others:
            other.kill()
            other.wait()


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="the kernel keeps no scheduler statistics")
def test_time_that_others_had_the_core_is_told_apart(crowded_core: None) -> None:
    block = Spinning().time_block(10)
    assert block.waited_ms > 0.2 * block.wall_ms
    assert block.run_ms == pytest.approx(block.cpu_ms / block.runs, rel=0.2)


def test_sleeping_is_not_waiting() -> None:
    before = waited_ms()
    start = time.perf_counter()
    time.sleep(0.2)
    assert waited_ms() - before < 500 * (time.perf_counter() - start)


def test_several_threads_are_timed_by_the_wall(crowded_core: None) -> None:
    session = Spinning()
    session.threads = 2
    block = session.time_block(2)
    assert block.waited_ms == 0
    assert block.run_ms * 2 == pytest.approx(block.wall_ms)


def test_unknown_where_the_system_does_not_tell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(run_queue, "_TASKS", tmp_path / "nothing")
    assert waited_ms() == 0.0
