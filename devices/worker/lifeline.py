"""Ends a process when another one ends, whatever the first is doing.

The parent holds one end of a pipe and never writes to it. When the parent ends, even by SIGKILL, the system closes that
end and sends SIGIO, which ends this process. A thread that reads the pipe cannot do that while a runtime's C code holds
Python's interpreter lock, and ``PR_SET_PDEATHSIG`` already fires when the parent's thread ends.
Source: ``O_ASYNC`` in fcntl(2).
"""

from __future__ import annotations

import fcntl
import os
import select
import signal


def end_with_the_other_side(descriptor: int) -> None:
    """From now on this process ends when the other end of the pipe is closed; ``descriptor`` is the reading end."""
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    _signal_when_closed(descriptor, os.getpid())
    if select.select([descriptor], [], [], 0)[0]:  # closed before there was a signal for it
        os._exit(0)


def end_group_with_the_other_side(descriptor: int, group: int) -> None:
    """From now on all processes of a group end when the other end of the pipe is closed.

    For programs that are not ours: the process that holds the other end calls it, and they inherit the reading end.
    """
    _signal_when_closed(descriptor, -group)


def _signal_when_closed(descriptor: int, receiver: int) -> None:
    fcntl.fcntl(descriptor, fcntl.F_SETOWN, receiver)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_ASYNC)
