"""Temporary folders that do not outlive their process, even one that was killed.

A process that is killed with SIGKILL cannot clean up. Therefore each folder is locked while its process lives (the
system ends the lock with the process), and its name holds the number and the start of the process. The first time that
a later process makes a folder at the same place it removes those that nobody has locked.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import shutil
import tempfile
import time
import weakref
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

from foundation.process_identity import start_ticks

PREFIX = "latseg-"
_OWN = r"(\d+)-(\d+)-[a-z0-9_]{8}"
"""Number of the process, its start in clock ticks, and what ``tempfile`` adds."""
_REMOVE_S = 2.0
"""Time in which a process that is ending may still write into a folder that is being removed; a browser does."""
_PAUSE_S = 0.05
_cleaned: set[tuple[Path, str]] = set()
_logger = logging.getLogger(__name__)


class TemporaryFolder:
    """A folder that is removed at the end of the context, else with this object or its process.

    Args:
        parent: where to make it; by default the system's folder for temporary files (``TMPDIR``).
        prefix: of its name.
        clean: whether to remove what dead processes left at this place under this prefix.

    Raises:
        OSError: the parent cannot be written.
    """

    def __init__(self, *, parent: Path | None = None, prefix: str = PREFIX, clean: bool = True) -> None:
        place = parent or Path(tempfile.gettempdir())
        if clean and (place, prefix) not in _cleaned:
            _cleaned.add((place, prefix))
            for left in leftovers(place, prefix):
                shutil.rmtree(left, ignore_errors=True)
        self.path, lock = _locked_folder(place, prefix)
        self._end = weakref.finalize(self, _remove, self.path, lock, os.getpid())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Removes the folder; may be called twice."""
        self._end()

    def keep(self) -> None:
        """Leaves the folder where it is, for a later process that finds it among its ``leftovers``."""
        self._end.detach()


def owner(folder: Path) -> int | None:
    """Number of the process whose ``TemporaryFolder`` this is; None where that has ended, or nobody can tell."""
    made = re.search(f"-{_OWN}$", folder.name)
    try:
        os.close(_lock(folder))
    except BlockingIOError:
        return int(made[1]) if made and start_ticks(int(made[1])) == made[2] else None
    except OSError:
        pass
    return None


def leftovers(parent: Path, prefix: str) -> Iterator[Path]:
    """This user's folders that dead processes left in ``parent``; each is locked until the next one is asked for."""
    pattern = re.compile(re.escape(prefix) + _OWN)
    with suppress(OSError):
        for entry in sorted(os.scandir(parent), key=lambda entry: entry.name):
            if pattern.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                yield from _unlocked(Path(entry.path))


def _unlocked(folder: Path) -> Iterator[Path]:
    lock = None
    try:
        lock = _lock(folder)
        if os.fstat(lock).st_uid == os.getuid():
            _logger.info("%s was left by a process that is dead", folder)
            yield folder
    except OSError:  # its process lives, or another one is removing it
        return
    finally:
        if lock is not None:
            os.close(lock)


def _locked_folder(parent: Path, prefix: str) -> tuple[Path, int | None]:
    pid = os.getpid()
    while True:
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=f"{prefix}{pid}-{start_ticks(pid)}-"))
        try:
            lock = _lock(folder)
        except (BlockingIOError, FileNotFoundError):  # another process takes it for a leftover
            continue
        except OSError:  # a file system without locks: a later process cannot lock the folder either, and leaves it
            return folder, None
        with suppress(FileNotFoundError):
            if os.path.samestat(folder.stat(), os.fstat(lock)):
                return folder, lock
        os.close(lock)


def _lock(folder: Path) -> int:
    """A descriptor whose lock ends when it is closed or its process ends.

    Raises:
        OSError: another process has it, or the file system has no locks.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _remove(folder: Path, lock: int | None, pid: int) -> None:
    if os.getpid() != pid:  # a fork, which has inherited the object
        return
    end = time.monotonic() + _REMOVE_S
    shutil.rmtree(folder, ignore_errors=True)
    while os.path.lexists(folder) and time.monotonic() < end:
        time.sleep(_PAUSE_S)
        shutil.rmtree(folder, ignore_errors=True)
    if lock is not None:
        os.close(lock)
