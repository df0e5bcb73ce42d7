"""The EXIF orientation of a picture file."""

from __future__ import annotations

from pathlib import Path

from foundation.picture import open_picture

_TAG = 0x0112


def orientation(path: Path) -> int:
    """From 1 (upright, also where the file has none) to 8; 5 to 8 exchange height and width.

    Raises:
        PictureError: as ``open_picture``.
    """
    with open_picture(path) as image:
        value = image.getexif().get(_TAG)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1
