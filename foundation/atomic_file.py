"""Files that are either there whole or not there at all."""

from __future__ import annotations

import os
from pathlib import Path

from foundation.temporary_folder import PREFIX, TemporaryFolder

_PREFIX = f".{PREFIX}"


def write_file(path: Path, content: bytes) -> Path:
    """Writes ``content`` beside ``path`` and renames it into place, so that no reader sees half a file.

    Missing folders are created. The content is on disk when the call returns.

    Raises:
        OSError: the folder cannot be written to; an older file is unchanged and nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryFolder(parent=path.parent, prefix=_PREFIX) as folder:
        temporary = folder.path / path.name
        with temporary.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    return path
