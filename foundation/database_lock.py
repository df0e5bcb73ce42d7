"""Whether another process has an SQLite file open."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

_FIRST, _COUNT = 0x40000000, 512
"""The bytes that SQLite locks: whoever has a file in WAL mode open holds a lock there (sqlite.org/fileformat2.html)."""


def is_in_use(path: Path) -> bool:
    """Whether another process has the regular file open as a database; False where the file system has no locks.

    Raises:
        OSError: the file cannot be written.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, _COUNT, _FIRST)
    except (BlockingIOError, PermissionError):
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False
