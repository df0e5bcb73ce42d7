"""Reads picture files as 8-bit RGB, the same way for training, for export and for a bundle.

Needs numpy and Pillow only: the text of this file and of ``regular_file.py``, from their imports on, is also part of a
bundle's ``segment.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from foundation.regular_file import PICTURE_BYTES, open_regular

Pixels = NDArray[np.uint8]

# Whatever a decoder may raise on a broken file; Pillow's own errors derive from these.
BROKEN_PICTURE = (OSError, ValueError, SyntaxError, EOFError, TypeError, IndexError, KeyError, ArithmeticError)


class PictureError(ValueError):
    """A file that cannot be read as a picture; ``reason`` says why."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}")


@dataclass(frozen=True)
class Picture:
    """Pixels, height x width x 3 (red, green, blue), upright, and their opacity (height x width) or None."""

    rgb: Pixels
    opacity: Pixels | None = None


def read_picture(path: Path, *, at_least: tuple[int, int] | None = None) -> Picture:
    """Reads any file that Pillow can: first frame, upright by its EXIF orientation, transparent parts white.

    Where ``at_least`` (height, width) is given, a large JPEG may be decoded at a half, a quarter or an eighth of its
    size as long as that is still twice as large, which is several times faster.

    Raises:
        PictureError: as ``open_picture``.
    """
    with open_picture(path) as image:
        if at_least is not None:
            image.draft(None, (2 * max(at_least), 2 * max(at_least)))
        image.load()
        return as_picture(ImageOps.exif_transpose(image))


@contextmanager
def open_picture(path: Path) -> Iterator[Image.Image]:
    """The file opened by Pillow; what a decoder raises inside the block becomes a ``PictureError``.

    Raises:
        PictureError: missing, no regular file, not a picture, truncated, or too large.
    """
    try:
        stream = open_regular(path, limit=PICTURE_BYTES)
    except FileNotFoundError as error:
        raise PictureError(path, "no such file") from error
    except OSError as error:
        raise PictureError(path, error.strerror or str(error)) from error
    try:
        with stream, Image.open(stream) as image:
            yield image
    except Image.DecompressionBombError as error:
        raise PictureError(path, "has too many pixels") from error
    except UnidentifiedImageError as error:
        raise PictureError(path, "not a picture that can be read") from error
    except BROKEN_PICTURE as error:
        raise PictureError(path, f"broken or truncated picture ({error})") from error


def eight_bits(values: NDArray[np.generic]) -> Pixels:
    """Grey values of any type as uint8, rounded: floats up to 1 are shares of 255, integers above 255 have 16 bits."""
    if values.dtype == np.uint8:
        return values.astype(np.uint8)  # a copy: Pillow's buffer cannot be written to
    numbers = np.nan_to_num(np.asarray(values, np.float64))
    highest = numbers.max(initial=0)
    if np.issubdtype(values.dtype, np.floating):
        scale = 255.0 if highest <= 1 else 1.0
    else:
        scale = 255 / 65535 if highest > 255 else 1.0
    return np.clip(np.rint(numbers * scale), 0, 255).astype(np.uint8)


def _has_transparency(image: Image.Image) -> bool:
    """As ``Image.has_transparency_data``, which Pillow has since 10.1; a bundle's script also runs with older ones."""
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        return True
    return image.mode == "P" and image.palette is not None and str(image.palette.mode).endswith("A")


def as_picture(image: Image.Image) -> Picture:
    """A decoded image as 8-bit RGB, transparent parts white."""
    if image.mode == "F" or image.mode.startswith("I"):
        # Pillow's own conversion clips at 255.
        image = Image.fromarray(eight_bits(np.asarray(image)))
    if not _has_transparency(image):
        return Picture(np.asarray(image.convert("RGB")))
    rgba = image.convert("RGBA")
    white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
    rgb = np.asarray(Image.alpha_composite(white, rgba).convert("RGB"))
    return Picture(rgb, np.asarray(rgba.getchannel("A")))
