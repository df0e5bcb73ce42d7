"""Photographs from files: any mode that Pillow reads, upright, as RGB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from foundation.errors import UserError

_ORIENTATION = 0x0112
_SIDEWAYS = (5, 6, 7, 8)
"""EXIF orientations that exchange height and width."""


def read_image(path: Path, *, at_least: tuple[int, int] | None = None) -> Image.Image:
    """The picture as 8-bit RGB, turned upright by its EXIF orientation, what is transparent on white.

    Where ``at_least`` (height, width) is given, a large JPEG may be decoded at a half, a quarter or an eighth of its
    size as long as that still is twice as large; it is several times faster.

    Raises:
        UserError: missing, no picture, or cut off.
    """
    with opened(path) as image:
        if at_least is not None:
            side = 2 * max(at_least)
            image.draft(None, (side, side))
        return to_rgb(ImageOps.exif_transpose(image))


def upright_size(path: Path) -> tuple[int, int]:
    """(height, width) of the upright picture, from the file's head alone.

    Raises:
        UserError: missing or no picture.
    """
    with opened(path) as image:
        width, height = image.size
        return (width, height) if image.getexif().get(_ORIENTATION) in _SIDEWAYS else (height, width)


def to_rgb(image: Image.Image) -> Image.Image:
    """Grey, palette, CMYK, 16-bit and transparent pictures as 8-bit RGB."""
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(eight_bits(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def eight_bits(values: np.ndarray) -> np.ndarray:
    """Grey values of more than 8 bits as uint8: divided by 257 where any exceeds 255, else as they are."""
    scaled = values / 257 if values.size and values.max() > 255 else values
    return np.asarray(np.clip(scaled, 0, 255), np.uint8)


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """The picture file, open; whatever goes wrong while it is open is told as a ``UserError`` on the file."""
    try:
        with Image.open(path) as image:
            yield image
    except FileNotFoundError as error:
        raise UserError("picture", seen=f"no file {path}", expected="a file", remedy="check the path") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(
            "picture", seen=f"unreadable {path} ({error})", expected="a whole JPEG, PNG or the like",
            remedy="replace the file or take it out of the folder",
        ) from error  # fmt: skip
