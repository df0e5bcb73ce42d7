"""The files of a bundle: which are there, and whether each is the one that the manifest means.

A bundle may come from anywhere. Nothing in it is read that is no regular file of the size that the manifest says, and
no link is followed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

from export.bundle.manifest import BundleFile
from foundation.regular_file import MODEL_BYTES, open_regular

_PART_BYTES = 2**20


def paths_in(folder: Path) -> set[str]:
    """Everything below ``folder`` that is no folder, links to folders included; relative, with slashes."""
    return {path.relative_to(folder).as_posix() for path in _walk(folder)}


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        here = Path(parent)
        yield from (here / name for name in names)
        yield from (here / name for name in folders if (here / name).is_symlink())


def strangers(folder: Path, model: str, listed: Collection[str]) -> list[str]:
    """Files beside a model with its name up to the first dot, which its runtime may read, that are not ``listed``."""
    parent = (folder / model).parent
    stem = Path(model).name.partition(".")[0]
    try:
        beside = [path for path in parent.iterdir() if path.name.partition(".")[0] == stem]
    except OSError:  # then the model is not there either
        return []
    return sorted({path.relative_to(folder).as_posix() for path in beside} - set(listed))


def changed(folder: Path, file: BundleFile) -> str:
    """How the file differs from what the manifest says; empty where it is the very file."""
    path = folder / file.path
    if any(parent.is_symlink() for parent in _between(path, folder)):
        return "its folder is a link"
    try:
        with open_regular(path, limit=MODEL_BYTES, follow_links=False) as stream:
            size = os.fstat(stream.fileno()).st_size
            if size != file.bytes:
                return f"the file was changed: {size:,} bytes, not {file.bytes:,}"
            found = _sha256(stream)
    except OSError as error:
        return error.strerror or str(error)
    if found != file.sha256:
        return f"the file was changed: SHA-256 {found[:12]}…, not {file.sha256[:12]}…"
    return ""


def _sha256(stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    while part := stream.read(_PART_BYTES):
        digest.update(part)
    return digest.hexdigest()


def _between(path: Path, folder: Path) -> Iterator[Path]:
    """The folders of ``path`` below ``folder``."""
    yield from (parent for parent in path.parents if parent != folder and parent.is_relative_to(folder))
