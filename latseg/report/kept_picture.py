"""Pictures that other commands left in a run's folder."""

from __future__ import annotations

from pathlib import Path

from foundation.errors import UserError
from foundation.regular_file import PICTURE_BYTES, read_regular

LEAVE_OUT = "delete it: the report then leaves it out"


def kept_picture(path: Path, what: str, command: str, *, remedy: str = LEAVE_OUT) -> bytes:
    """The content of the file.

    Args:
        path: the file.
        what: it shows.
        command: that wrote it.
        remedy: what to do where it cannot be read.

    Raises:
        UserError: it cannot be read.
    """
    try:
        return read_regular(path, limit=PICTURE_BYTES)
    except OSError as error:
        raise UserError(
            what, seen=f"{path} ({error.strerror or error})", expected=f"the picture that `latseg {command}` wrote",
            remedy=remedy,
        ) from error  # fmt: skip
