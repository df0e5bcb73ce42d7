"""Text files that list the pictures of a data set, and which of these are there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from foundation.errors import UserError
from foundation.regular_file import DOCUMENT_BYTES, read_regular
from segmentation.data.pair_files import PairFiles
from segmentation.data.picture_files import left_out


def read_lines(path: Path) -> list[str]:
    """The lines of a list that are not empty, without blanks at their ends.

    Raises:
        UserError: missing, no regular file, too large, or not UTF-8.
    """
    try:
        text = read_regular(path, limit=DOCUMENT_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise UserError(
            "list of a data set", seen=f"{path} ({reason})", expected="a text file with one picture on each line",
            remedy="get it again from where the data set is from",
        ) from error  # fmt: skip
    return [line.strip() for line in text.splitlines() if line.strip()]


@dataclass(frozen=True, slots=True)
class PresentFiles:
    """Pictures that are there with their masks, and a sentence on those that are not."""

    pairs: list[PairFiles]
    notes: tuple[str, ...]
    without_mask: int
    """Pictures that are there without a mask."""


def present_files(folder: Path, pairs: Iterable[PairFiles]) -> PresentFiles:
    """Links of the web break, so lists name more than there is: files that are missing or empty are left out."""
    found: list[PairFiles] = []
    no_picture, no_mask = [], []
    for image, mask in pairs:
        if not is_there(image):
            no_picture.append(image)
        elif not is_there(mask):
            no_mask.append(image)
        else:
            found.append((image, mask))
    notes = missing_notes(folder, no_picture, no_mask)
    return PresentFiles(found, notes, len(no_mask))


def is_there(path: Path) -> bool:
    """Whether there is a file, and something in it."""
    return path.is_file() and path.stat().st_size > 0


def missing_notes(folder: Path, no_picture: Sequence[Path], no_mask: Sequence[Path]) -> tuple[str, ...]:
    """A sentence on pictures that are listed and missing, and one on those without a mask."""
    return (
        *left_out(folder, no_picture, "listed, but missing or empty"),
        *left_out(folder, no_mask, "their masks are missing or empty"),
    )
