"""What takes long to make is made by one of the processes that run tests; the others wait for it and copy it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder of this process's own with what ``make`` writes into an empty one."""
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    original, partial = shared / f"{name}-made", shared / f"{name}-partial"
    with FileLock(shared / f"{name}.lock"):
        if not original.exists():
            shutil.rmtree(partial, ignore_errors=True)  # of a process that failed
            partial.mkdir()
            make(partial)
            partial.rename(original)
    return Path(shutil.copytree(original, factory.mktemp(name) / name))
