"""From a picture file to a network's input and from its logits back to a mask and a cut-out of the picture's size.

Needs numpy and Pillow only: the text of this file, from its imports on, is also part of a bundle's ``segment.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

# Whatever a decoder may say about a broken file; Pillow's own errors derive from these.
BROKEN_PICTURE = (OSError, ValueError, SyntaxError, EOFError, TypeError, IndexError, KeyError, ArithmeticError)


class PictureError(ValueError):
    """A file that cannot be read as a picture; ``reason`` says why."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}")


@dataclass(frozen=True)
class Picture:
    """Pixels, height x width x 3 (red, green, blue), the right way up, and its opacity (height x width) or None."""

    rgb: Pixels
    opacity: Pixels | None = None


@dataclass(frozen=True)
class Placement:
    """Where the picture lies in the network's input, in pixels."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class Segmentation:
    """Class numbers and foreground probability, both height x width of the picture."""

    labels: Pixels
    foreground: Floats


def read_picture(path: Path) -> Picture:
    """Reads any file that Pillow can, first frame, turned as its EXIF orientation says; transparent parts become white.

    Raises:
        PictureError: missing, not a picture, truncated, or too large.
    """
    if not path.is_file():
        raise PictureError(path, "is not a file" if path.exists() else "no such file")
    try:
        with Image.open(path) as image:
            image.load()
            return _picture(ImageOps.exif_transpose(image))
    except Image.DecompressionBombError as error:
        raise PictureError(path, "has too many pixels") from error
    except UnidentifiedImageError as error:
        raise PictureError(path, "not a picture that can be read") from error
    except BROKEN_PICTURE as error:
        raise PictureError(path, f"broken or truncated picture ({error})") from error


def _picture(image: Image.Image) -> Picture:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _eight_bit(image)
    if not image.has_transparency_data:
        return Picture(np.asarray(image.convert("RGB")))
    rgba = image.convert("RGBA")
    white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
    rgb = np.asarray(Image.alpha_composite(white, rgba).convert("RGB"))
    return Picture(rgb, np.asarray(rgba.getchannel("A")))


def _eight_bit(image: Image.Image) -> Image.Image:
    """16-bit and floating-point grey; Pillow's own conversion would clip at 255."""
    values = np.nan_to_num(np.asarray(image, np.float64))
    if image.mode == "F":
        scale = 255.0 if values.size and values.max() <= 1 else 1.0
    else:
        scale = 255 / 65535 if image.mode != "I" or values.max() > 255 else 1.0
    return Image.fromarray(np.clip(np.rint(values * scale), 0, 255).astype(np.uint8))


def place(height: int, width: int, net_height: int, net_width: int, policy: str) -> Placement:
    """``resize`` fills the input and distorts; ``letterbox`` keeps the picture's shape, in the middle."""
    if policy == "resize":
        return Placement(0, 0, net_height, net_width)
    scale = min(net_height / height, net_width / width)
    inner_height = min(net_height, max(1, round(height * scale)))
    inner_width = min(net_width, max(1, round(width * scale)))
    return Placement((net_height - inner_height) // 2, (net_width - inner_width) // 2, inner_height, inner_width)


def fit(rgb: Pixels, placement: Placement, net_height: int, net_width: int, mean: tuple[float, ...]) -> Pixels:
    """The picture at its placement, net_height x net_width x 3, on the mean colour (zero to the network)."""
    canvas = np.empty((net_height, net_width, 3), np.uint8)
    canvas[:] = np.rint(np.asarray(mean) * 255)
    inner = Image.fromarray(rgb).resize((placement.width, placement.height), Image.Resampling.BILINEAR)
    rows, columns = _window(placement)
    canvas[rows, columns] = np.asarray(inner)
    return canvas


def normalise(pixels: Pixels, mean: tuple[float, ...], std: tuple[float, ...]) -> Floats:
    """(x / 255 - mean) / std, height x width x 3 to 1 x 3 x height x width."""
    shares = pixels.astype(np.float32) / np.float32(255)
    values = (shares - np.asarray(mean, np.float32)) / np.asarray(std, np.float32)
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


def spread(logits: Floats, placement: Placement, height: int, width: int) -> Segmentation:
    """Logits 1 x classes x net height x net width to a segmentation of height x width.

    Logits are resized before the arg-max, which keeps edges smooth. Class by class, relative to class 0 (background),
    so that a large picture with many classes needs the memory of a few planes.
    """
    rows, columns = _window(placement)
    inner = logits[0][:, rows, columns].astype(np.float32)
    labels = np.zeros((height, width), np.uint8)
    best = np.zeros((height, width), np.float32)
    foreground = np.full((height, width), -np.inf, np.float32)
    for label in range(1, len(inner)):
        margin = _resize_plane(inner[label] - inner[0], height, width)
        higher = margin > best
        labels[higher] = label
        np.maximum(best, margin, out=best)
        np.logaddexp(foreground, margin, out=foreground)
    return Segmentation(labels, _sigmoid(foreground))


def mask_image(labels: Pixels, classes: int) -> Image.Image:
    """Grey picture: 0 and 255 for two classes, class numbers for more."""
    return Image.fromarray(labels * np.uint8(255) if classes == 2 else labels)


def cut_out(picture: Picture, foreground: Floats) -> Image.Image:
    """The picture with the foreground's probability as opacity, times the opacity that it had."""
    opacity = foreground * (255 if picture.opacity is None else picture.opacity.astype(np.float32))
    return Image.fromarray(np.dstack([picture.rgb, np.rint(opacity).astype(np.uint8)]))


def _window(placement: Placement) -> tuple[slice, slice]:
    return (
        slice(placement.top, placement.top + placement.height),
        slice(placement.left, placement.left + placement.width),
    )


def _resize_plane(plane: Floats, height: int, width: int) -> Floats:
    resized = Image.fromarray(np.ascontiguousarray(plane)).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized)


def _sigmoid(values: Floats) -> Floats:
    half = np.float32(0.5)
    shares: Floats = half + half * np.tanh(values * half)
    return shares
