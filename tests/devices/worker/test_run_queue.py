import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.worker import run_queue
from devices.worker.run_queue import RunQueue
from devices.worker.runtime import ClockedModel, OperatorProfile


class Spinning(ClockedModel):
    """Needs a fixed amount of CPU time."""

    load_ms = 1.0

    def __init__(self, seconds: float = 0.03) -> None:
        self._seconds = seconds

    def run(self) -> None:
        end = time.thread_time() + self._seconds
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
def test_time_in_which_others_had_the_core_is_separated(crowded_core: None) -> None:
    block = Spinning().time_block(10)
    assert block.waited_ms > 0.2 * block.wall_ms
    assert block.run_ms == pytest.approx(block.cpu_ms / block.runs, rel=0.2)


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="the kernel keeps no scheduler statistics")
def test_no_block_loses_more_than_it_waited(crowded_core: None) -> None:
    """Losing the core between reading clock and counter must not count in only one of the two."""
    model = Spinning(seconds=0.002)
    blocks = [model.time_block(1) for _ in range(60)]
    assert sum(block.waited_ms > 0 for block in blocks) > 5
    assert min(block.run_ms for block in blocks) >= 1.9


def test_sleeping_is_not_waiting() -> None:
    with RunQueue() as queue:
        start, before = queue.snapshot()
        time.sleep(0.2)
        end, after = queue.snapshot()
    assert after - before < 0.5 * (end - start)


def test_several_threads_are_timed_by_the_wall(crowded_core: None) -> None:
    model = Spinning()
    model.threads = 2
    block = model.time_block(2)
    assert block.waited_ms == 0
    assert block.run_ms * 2 == pytest.approx(block.wall_ms)


def test_unknown_where_the_system_does_not_tell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(run_queue, "_TASKS", tmp_path / "nothing")
    block = Spinning().time_block(1)
    assert block.waited_ms == 0
    assert block.run_ms == pytest.approx(block.wall_ms)


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="the kernel keeps no scheduler statistics")
def test_threads_of_another_process(crowded_core: None) -> None:
    code = "import time\nwhile time.process_time() < 0.2: pass\nprint(); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        with RunQueue([Path(f"/proc/{other.pid}/task/{other.pid}")]) as queue:
            ran, (start, before) = queue.ran_ns(), queue.snapshot()
            other.stdout.readline()
            end, after = queue.snapshot()
            assert 0.1e9 < queue.ran_ns() - ran < 0.4e9
            assert 0.1e9 < after - before < end - start
        other.kill()


def test_a_thread_that_ends_leaves_plain_times() -> None:
    thread = threading.Thread(target=time.sleep, args=(0.1,))
    thread.start()
    with RunQueue() as queue:
        thread.join()
        while Path(f"/proc/self/task/{thread.native_id}").exists():  # for some moments more, on a busy machine
            time.sleep(0.001)
        first, second = queue.snapshot(), queue.snapshot()
    assert second[0] >= first[0]
    assert second[1] == 0


def test_a_core_lost_between_the_two_readings_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = RunQueue()
    waits, clocks = iter([100, 900, 900]), iter([10, 810])
    monkeypatch.setattr(queue, "_waited_ns", lambda: next(waits))
    monkeypatch.setattr(time, "perf_counter_ns", lambda: next(clocks))
    assert queue.snapshot() == (810, 900)
