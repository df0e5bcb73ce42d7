from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

# Threads of PyTorch that wait for each other leave the core to others: otherwise a busy machine doubles all times.
os.environ.setdefault("GOMP_SPINCOUNT", "0")
# As many processes as processors run tests: more threads would only wait for each other.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

_DEVICES = Path(__file__).parent / "devices"
_TIMED = [
    _DEVICES / "backends" / "test_threads.py",
    *(_DEVICES / "worker" / f"test_{name}.py" for name in ("worker", "timing", "run_queue")),
    *(_DEVICES / f"test_{name}.py" for name in ("device", "other_load", "reference_net")),
]

# Asserts of the suites that plug-ins import too say what they compared.
pytest.register_assert_rewrite("latseg.testing")

# How long an example takes says more of the machine than of the code.
settings.register_profile("latseg", deadline=None)
settings.load_profile("latseg")

# A test run that was put into the background ignores these signals, and so would every process that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """To import every file takes longer than most of the serial tests; those of other files are not asked for."""
    serial = str(config.option.markexpr).startswith("serial and ")
    if not serial or collection_path.suffix != ".py" or collection_path in _TIMED:
        return None
    return True if "mark.serial" not in collection_path.read_text() else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Nothing else may run beside tests that time something. Files with long tests come first.

    Processes that run tests take whole files: one that begins a long file last would work alone at the end.
    """
    for item in items:
        if item.path in _TIMED:
            item.add_marker(pytest.mark.serial)
    long_files = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in long_files)
