"""Load of other programs, seen while nothing of ours runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devices import hardware, other_load
from devices.other_load import BUSY_CORES


@contextmanager
def busy_loop() -> Iterator[None]:
    loop = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        loop.kill()
        loop.wait()


@pytest.mark.skipif(not Path("/proc/stat").is_file(), reason="reads /proc/stat")
def test_a_busy_loop_is_seen() -> None:
    with busy_loop():
        assert other_load.other_load() > BUSY_CORES


def test_ticks_become_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 0 0 900 0 0 0 0 0 0\ncpu0 1 2\n")
    monkeypatch.setattr(other_load, "_STAT", stat)
    monkeypatch.setattr(hardware, "all_cores", lambda: 4)
    # A quarter of all ticks is busy: one of four cores, of which other virtual machines had a part.
    monkeypatch.setattr(other_load.time, "sleep", lambda _: stat.write_text("cpu  110 5 0 960 0 0 0 5 0 0\n"))
    assert other_load.other_load() == pytest.approx(1.0)


def test_without_ticks_the_load_average_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_load, "_STAT", tmp_path / "none")
    monkeypatch.setattr(hardware, "load_average", lambda: 1.5)
    assert other_load.other_load() == 1.5
