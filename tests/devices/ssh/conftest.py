"""``fake_ssh``: a program ``ssh`` that runs its command on this machine, whose other user has a folder of his own."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SSH = """#!/bin/sh
printf '%s\\n' "$@" > "$FAKE_SSH/words"
while [ "$1" != -- ]; do shift; done
shift 2
exec sh -c "$*"
"""
PYTHON = f"""#!/bin/sh
export PYTHONPATH="$FAKE_SSH/packages:$PYTHONPATH"
exec '{sys.executable}' "$@"
"""
HARDWARE = """
from devices import hardware
hardware.cpu_name = lambda: "Cortex-A76 (4 cores)"
hardware.clock_mhz = lambda: 2400.0
hardware.load_average = lambda: 0.25
"""
"""Runs first in every Python there."""


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Writes a program that is found first."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def write(name: str, text: str) -> None:
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)

    return write


@pytest.fixture
def fake_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: Callable[[str, str], None]) -> Path:
    """The agent's folder; ``words`` beside it has the arguments of the last run of ``ssh``."""
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "sitecustomize.py").write_text(HARDWARE)
    script("ssh", SSH)
    script("python3", PYTHON)
    monkeypatch.setenv("FAKE_SSH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "it's a cache"))
    return tmp_path / "it's a cache" / "latseg" / "agent"
