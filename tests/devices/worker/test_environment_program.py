"""Programs in other environments end with what they started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typing_extensions import override

from devices.installations.python_environment import PythonEnvironment
from devices.reference_net import REFERENCE_NET
from devices.worker import environment_program
from devices.worker.environment_program import ConversionFailedError, convert_in_environment

PATIENCE_S = 10.0
ENDLESS = """#!/bin/sh
for target; do :; done
sleep 600 &
echo $$ $! > "$target.part"
mv "$target.part" "$target"
sleep 600
"""
"""Writes its number and that of a child; the target is the last argument."""
PARENT = """
import sys
from pathlib import Path
from devices.reference_net import REFERENCE_NET
from devices.worker.environment_program import convert_in_environment
from tests.devices.worker.test_environment_program import Scripted
convert_in_environment(Scripted(Path(sys.argv[1])), "module", REFERENCE_NET, Path(sys.argv[2]))
"""


class Scripted(PythonEnvironment):
    """Its interpreter is a script."""

    def __init__(self, script: Path) -> None:
        self._script = script

    @property
    @override
    def python(self) -> Path:
        return self._script

    @override
    def is_installed(self) -> bool:
        return True


def _endless(folder: Path, line: str = "") -> Path:
    """ENDLESS with another line in front."""
    script = folder / "endless"
    script.write_text(ENDLESS.replace("\n", f"\n{line}\n", 1))
    script.chmod(0o755)
    return script


def _started(target: Path) -> list[int]:
    end = time.monotonic() + PATIENCE_S
    while not target.exists() and time.monotonic() < end:
        time.sleep(0.05)
    return [int(number) for number in target.read_text().split()]


def _all_end(processes: list[int]) -> bool:
    end = time.monotonic() + PATIENCE_S
    while any(map(_alive, processes)) and time.monotonic() < end:
        time.sleep(0.05)
    return not any(map(_alive, processes))


def _alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_program_that_hangs_ends_with_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where they ignore the signal of the lifeline."""
    endless = _endless(tmp_path, f"trap '' {signal.SIGIO:d}")
    monkeypatch.setattr(environment_program, "_TIMEOUT_S", 1.0)
    with pytest.raises(ConversionFailedError, match="not done after 1 s"):
        convert_in_environment(Scripted(endless), "module", REFERENCE_NET, tmp_path / "target")
    assert _all_end(_started(tmp_path / "target"))


def test_a_program_ends_with_a_process_that_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, _endless(tmp_path), tmp_path / "target"]) as parent:
        processes = _started(tmp_path / "target")
        assert all(map(_alive, processes))
        os.kill(parent.pid, signal.SIGKILL)
    assert _all_end(processes)
