"""A folder that is replaced as a whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from foundation.errors import UserError


@contextmanager
def swapped_folder(folder: Path, *, marker: str) -> Iterator[Path]:
    """Gives an empty folder to fill, which takes the place of ``folder`` when the block ends without an exception.

    Args:
        folder: where the result goes; may exist if it is empty or holds a file called ``marker``.
        marker: what shows that a folder is ours to replace.

    Raises:
        UserError: ``folder`` is something else that must not be lost.
    """
    _check_replaceable(folder, marker)
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        fresh = staging / "new"
        fresh.mkdir()
        yield fresh
        _swap(fresh, folder, aside=staging / "old")
    finally:
        if folder.exists() or not (staging / "old").exists():
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
