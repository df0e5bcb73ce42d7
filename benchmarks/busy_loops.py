"""Other programs that keep cores busy."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

_LOOP = "import os; parent = os.getppid()\nwhile os.getppid() == parent: pass"
"""Ends with the process that started it, however that ends: loops that are left would slow what is measured next."""


@contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """So many processes that compute, each on one core."""
    with ExitStack() as stack:
        for _ in range(count):
            process = subprocess.Popen([sys.executable, "-c", _LOOP])
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield
