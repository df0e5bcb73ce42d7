"""Which process did something, so that another one can tell later whether it has ended."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_ENDED = frozenset("ZX")
"""States of a process that was killed and that its parent has not yet noticed."""
_STATE, _START = 0, 19
"""Fields of ``/proc/<pid>/stat`` behind the name; there they are the third and the 22nd (proc_pid_stat(5))."""


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process, told apart from a later one that has the same number."""

    host: str
    pid: int
    started: str
    """Boot of the machine and start in clock ticks since then; empty on systems without ``/proc``."""

    @property
    def is_dead(self) -> bool:
        """Whether it has certainly ended; False for a process of another machine."""
        if self.host != socket.gethostname():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:  # somebody else's now; or still the same, which runs as another user
            pass
        state, started = _state_and_start(self.pid)
        return state in _ENDED or bool(started and self.started and started != self.started)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def this_process() -> ProcessIdentity:
    """The calling process."""
    return _identity(os.getpid())


def start_ticks(pid: int) -> str:
    """Start of a process in clock ticks since the boot; "0" where it has ended or the system does not tell."""
    return _state_and_start(pid)[1].rpartition(" ")[2] or "0"


@lru_cache(maxsize=1)
def _identity(pid: int) -> ProcessIdentity:
    return ProcessIdentity(socket.gethostname(), pid, _state_and_start(pid)[1])


def _state_and_start(pid: int) -> tuple[str, str]:
    """One letter, and boot and start in one text; both empty where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return fields[_STATE], f"{_BOOT.read_text().strip()} {fields[_START]}"
    except (OSError, IndexError):
        return "", ""
