"""Ctrl-C waits for the end of a block and is not lost."""

from __future__ import annotations

import subprocess
import sys
import threading

from foundation.interruption import uninterrupted

_CTRL_C = """
import os, signal
from foundation.interruption import uninterrupted
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    with uninterrupted():
        os.kill(os.getpid(), signal.SIGINT)
        print("block finished")
    print("lost")
except KeyboardInterrupt:
    print("interrupted", signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""


def test_ctrl_c_waits_for_the_end_of_the_block() -> None:
    """In a process of its own: the signal must not reach the threads of libraries that other tests have loaded."""
    run = subprocess.run([sys.executable, "-c", _CTRL_C], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == ["block finished", "interrupted True"]


def test_other_threads_are_unaffected() -> None:
    reached = []

    def work() -> None:
        with uninterrupted():
            reached.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert reached
