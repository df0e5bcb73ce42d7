"""A folder that is replaced as a whole or not at all.

A process that is killed between the two renames of the swap leaves the old folder aside; the next swap puts it back.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from foundation.errors import UserError
from foundation.temporary_folder import TemporaryFolder, leftovers

_NEW, _OLD = "new", "old"


@contextmanager
def swapped_folder(folder: Path, *, marker: str) -> Iterator[Path]:
    """Gives an empty folder to fill, which takes the place of ``folder`` when the block ends without an exception.

    Args:
        folder: where the result goes; may exist if it is empty or holds a file called ``marker``.
        marker: what shows that a folder is ours to replace.

    Raises:
        UserError: ``folder`` is something else that must not be lost.
    """
    prefix = f".{folder.name}."
    _put_back(folder, prefix)
    _check_replaceable(folder, marker)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryFolder(parent=folder.parent, prefix=prefix, clean=False) as staging:
        fresh = staging.path / _NEW
        fresh.mkdir()
        try:
            yield fresh
            _swap(fresh, folder, aside=staging.path / _OLD)
        finally:
            if not folder.exists() and (staging.path / _OLD).exists():
                staging.keep()


def _put_back(folder: Path, prefix: str) -> None:
    for staging in leftovers(folder.parent, prefix):
        if not folder.exists() and (staging / _OLD).exists():
            (staging / _OLD).rename(folder)
        shutil.rmtree(staging, ignore_errors=True)


def _check_replaceable(folder: Path, marker: str) -> None:
    if not folder.exists() and not folder.is_symlink():
        return
    if folder.is_dir() and not folder.is_symlink() and (not any(folder.iterdir()) or (folder / marker).is_file()):
        return
    raise UserError(
        "bundle folder",
        seen=f"{folder}, which holds something else",
        expected="a new folder, an empty one or a bundle",
        remedy="name another folder",
    )


def _swap(fresh: Path, folder: Path, *, aside: Path) -> None:
    try:
        if folder.exists():
            folder.rename(aside)
        fresh.rename(folder)
    except BaseException:  # Ctrl-C, too, must not leave the place empty
        if aside.exists() and not folder.exists():
            aside.rename(folder)
        raise
