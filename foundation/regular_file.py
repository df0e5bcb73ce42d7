"""Opens files that come from elsewhere: regular files of bounded size, read once, never waited for.

A FIFO blocks its reader for ever, ``/dev/zero`` has no end, and a file may be exchanged between a check and its use. So
the file is opened first, without waiting, and what was opened is checked. Needs the standard library only.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import BinaryIO, NoReturn

DOCUMENT_BYTES = 16 * 2**20
"""Most bytes of a document that is parsed as a whole (JSON, a list of names); such a file has some kilobytes."""
PICTURE_BYTES = 512 * 2**20
MODEL_BYTES = 2**31
"""Protobuf's own limit of a message; weights above it lie in external files."""


class RefusedFileError(OSError):
    """A file that is not opened: a FIFO, a device, a folder, a link where none may be, or too many bytes."""


def open_regular(path: Path, *, limit: int, follow_links: bool = True) -> BinaryIO:
    """Opens a regular file for reading.

    Args:
        path: the file.
        limit: most bytes that it may have.
        follow_links: False refuses a symbolic link as the last part of ``path``.

    Raises:
        RefusedFileError: no regular file, a link, or larger than ``limit``; ``strerror`` says which.
        OSError: it does not exist or cannot be read.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags | (0 if follow_links else getattr(os, "O_NOFOLLOW", 0)))
    except OSError as error:
        if error.errno == errno.ELOOP and not follow_links:
            _refuse(path, "is a link")
        if error.errno == errno.ENXIO:
            _refuse(path, "is not a regular file")
        raise
    try:
        _check(path, os.fstat(descriptor), limit)
    except RefusedFileError:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def refuse_special(path: Path) -> None:
    """For readers that open a file by its name themselves (SQLite); a missing file is not refused.

    Raises:
        RefusedFileError: a FIFO, a device or a folder.
    """
    try:
        status = path.stat()
    except OSError:
        return
    _check(path, status, status.st_size)


def read_regular(path: Path, *, limit: int, follow_links: bool = True) -> bytes:
    """The content of a regular file; the arguments and errors are those of ``open_regular``."""
    with open_regular(path, limit=limit, follow_links=follow_links) as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        _refuse(path, f"has more than {limit:,} bytes")
    return content


def read_json(path: Path, *, limit: int = DOCUMENT_BYTES, follow_links: bool = True) -> object:
    """The JSON document of a regular file; the arguments are those of ``open_regular``.

    Raises:
        OSError: as ``open_regular``.
        ValueError: not UTF-8, not JSON, nested too deeply, or a number that is not finite.
    """
    text = read_regular(path, limit=limit, follow_links=follow_links).decode("utf-8")
    try:
        return json.loads(text, parse_constant=_not_finite, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _check(path: Path, status: os.stat_result, limit: int) -> None:
    if stat.S_ISDIR(status.st_mode):
        _refuse(path, "is a folder", errno.EISDIR)
    if not stat.S_ISREG(status.st_mode):
        _refuse(path, "is not a regular file")
    if status.st_size > limit:
        _refuse(path, f"has {status.st_size:,} bytes, more than {limit:,}", errno.EFBIG)


def _refuse(path: Path, reason: str, number: int = errno.EINVAL) -> NoReturn:
    raise RefusedFileError(number, reason, str(path))


def _not_finite(name: str) -> NoReturn:
    raise ValueError(f"the number {name} is not finite")


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        _not_finite(digits)
    return number
