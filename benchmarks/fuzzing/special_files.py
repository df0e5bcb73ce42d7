"""What may be in the place of a file and is none that can be read."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path


class Special(StrEnum):
    """One kind of it."""

    FIFO = "FIFO"
    FOLDER = "folder"
    NOTHING = "nothing"
    SPARSE = "sparse file of 1 TiB"
    ENDLESS = "link to /dev/zero"
    LOOP = "link to itself"
    NOWHERE = "link to nothing"
    OTHER_FILE = "link to another file"
    OTHER_FOLDER = "link to a folder"


_LINKS = {
    Special.ENDLESS: "/dev/zero",
    Special.NOWHERE: "/nowhere/at/all",
    Special.OTHER_FILE: "/etc/passwd",
    Special.OTHER_FOLDER: "/etc",
}


def put(kind: Special, path: Path) -> None:
    """Makes it at ``path``, where nothing is."""
    match kind:
        case Special.FIFO:
            os.mkfifo(path)
        case Special.FOLDER:
            path.mkdir()
        case Special.SPARSE:
            path.touch()
            os.truncate(path, 2**40)
        case Special.LOOP:
            path.symlink_to(path.name)
        case Special.NOTHING:
            pass
        case _:
            path.symlink_to(_LINKS[kind])
