"""The most memory that this process has had."""

from __future__ import annotations

from pathlib import Path

_STATUS = Path("/proc/self/status")
_FIELD = "VmHWM:"
"""Peak resident set size, in kibibytes (proc_pid_status(5)). ``ru_maxrss`` is no substitute: it begins with the size of
the process that started this one."""


def peak_memory_bytes() -> int | None:
    """Peak resident memory; None where the operating system does not tell."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(_FIELD)), None)
