"""Size and EXIF orientation of a picture file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL import Image, TiffImagePlugin

from foundation.picture import open_picture

_TAG = 0x0112
_SIDEWAYS = 5


@dataclass(frozen=True, slots=True)
class PictureShape:
    """A picture's size once it is upright, and how the file is to be turned for that."""

    size: tuple[int, int]
    """Height and width of the upright picture."""
    orientation: int
    """From 1 (as it is stored, also where the file does not say) to 8; 5 to 8 exchange height and width."""


def picture_shape(path: Path) -> PictureShape:
    """The shape, from the file's header.

    Raises:
        PictureError: as ``open_picture``.
    """
    with open_picture(path) as image:
        width, height = _stored_size(image)
        value = image.getexif().get(_TAG)
    orientation = value if isinstance(value, int) and 1 <= value <= 8 else 1
    return PictureShape((width, height) if orientation >= _SIDEWAYS else (height, width), orientation)


def _stored_size(image: Image.Image) -> tuple[int, int]:
    """(width, height) of the file; Pillow itself turns a TIFF by its orientation, some versions when they open it."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        tags = image.tag_v2
        return int(tags[TiffImagePlugin.IMAGEWIDTH]), int(tags[TiffImagePlugin.IMAGELENGTH])
    return image.size
