"""Which files of a folder are pictures, and which are left out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import ImageFile

from foundation.picture import PictureError, open_picture

_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
"""Files with these endings are pictures, broken or not; others are looked into."""
_NOT_DECODED_HERE = ("EPS", "WMF", "MPEG")
"""Formats that Pillow names but leaves to other programs."""
_MANY = 3


@dataclass(frozen=True, slots=True)
class FolderFiles:
    """The pictures of a folder, by name, and what else is in it."""

    pictures: tuple[Path, ...]
    others: tuple[Path, ...]
    """Files that Pillow cannot read and folders; without hidden files."""


def picture_files(folder: Path, *, known: Iterable[Path] = ()) -> FolderFiles:
    """Pictures are recognised by a customary ending, or else by their content; ``known`` files are of no interest."""
    known = set(known)
    pictures: list[Path] = []
    others: list[Path] = []
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        if path.name.startswith(".") or path in known:
            continue
        (pictures if _is_picture(path) else others).append(path)
    return FolderFiles(tuple(pictures), tuple(others))


def left_out(folder: Path, paths: Iterable[Path], why: str) -> list[str]:
    """One sentence that counts and names what is not used; none where there is nothing."""
    names = [path.name for path in paths]
    if not names:
        return []
    more = f" and {len(names) - _MANY} more" if len(names) > _MANY else ""
    return [f"{len(names)} left out of {folder} ({why}): {', '.join(names[:_MANY])}{more}"]


def _is_picture(path: Path) -> bool:
    if path.is_dir():
        return False
    if path.suffix.lower() in _SUFFIXES:
        return path.is_file()
    try:
        with open_picture(path) as image:
            if isinstance(image, ImageFile.StubImageFile) or image.format in _NOT_DECODED_HERE:
                return False
            image.load()
    except PictureError:
        return False
    return True
