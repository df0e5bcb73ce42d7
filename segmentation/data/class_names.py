"""``classes.txt``: the names of the classes, one a line, background first."""

from __future__ import annotations

import codecs
from pathlib import Path

from foundation.errors import UserError
from foundation.regular_file import DOCUMENT_BYTES, read_regular
from segmentation.data.source import PERSON_CLASSES

_FILE_NAME = "classes.txt"
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",  # begins like UTF-16's mark
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


def class_file(folder: Path) -> Path | None:
    """The folder's file of class names, upper or lower case; None where there is none."""
    return next((path for path in sorted(folder.iterdir()) if path.name.lower() == _FILE_NAME), None)


def class_names(folder: Path) -> tuple[str, ...]:
    """The names in the folder's file, or background and person where there is none.

    UTF-8, UTF-16 and UTF-32 are read, with or without a byte-order mark.

    Raises:
        UserError: the file cannot be read as text, or does not hold 2 to 255 different names.
    """
    path = class_file(folder)
    if path is None:
        return PERSON_CLASSES
    try:
        text = _decoded(read_regular(path, limit=DOCUMENT_BYTES))
    except OSError as error:
        raise UserError(
            str(path), seen=error.strerror or error, expected="a text file of class names", remedy="replace it"
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(
            str(path), seen=f"text that is not {error.encoding.upper()}", expected="UTF-8 or UTF-16",
            remedy="save it as UTF-8 in an editor",
        ) from error  # fmt: skip
    names = tuple(line.strip() for line in text.splitlines() if line.strip())
    _check(path, names)
    return names


def _decoded(content: bytes) -> str:
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding)
    if b"\0" in content:  # as in UTF-16 of names that are mostly ASCII
        little = content[1::2].count(0) >= content[::2].count(0)
        return content.decode("utf-16-le" if little else "utf-16-be")
    return content.decode("utf-8")


def _check(path: Path, names: tuple[str, ...]) -> None:
    odd = next((name for name in names if not name.isprintable()), None)
    if odd is not None:
        raise UserError(
            str(path), seen=f"the name {odd!a}", expected="names of printable characters", remedy="correct it"
        )
    if not 2 <= len(names) <= 255 or len(set(names)) < len(names):
        raise UserError(
            str(path), seen=f"{len(names)} names, {len(set(names))} of them different",
            expected="2 to 255 different names, one a line, background first", remedy="correct the file",
        )  # fmt: skip
