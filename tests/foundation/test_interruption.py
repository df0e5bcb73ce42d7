"""Ctrl-C waits for the end of a block and is not lost."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from foundation.interruption import uninterrupted


def test_ctrl_c_waits_for_the_end_of_the_block() -> None:
    done = False
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012  (the interrupt comes between the statements)
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGINT)
            done = True
        pytest.fail("the interrupt was lost")
    assert done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_are_unaffected() -> None:
    reached = []

    def work() -> None:
        with uninterrupted():
            reached.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert reached
