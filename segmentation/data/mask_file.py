"""Reads masks as class numbers.

Two conventions are supported. With two classes (background, person) a mask holds 0 and 1, or 0 and 255, or, where a
program has smoothed it, grey values between 0 and 255, of which those from 128 on are the person. With more classes a
mask holds class numbers, and 255 where there is no label. Of palette files the indices count, not the colours.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from foundation.errors import UserError
from foundation.picture import eight_bits, open_picture
from segmentation.losses import IGNORE

_logger = logging.getLogger(__name__)

Mask = npt.NDArray[np.uint8]
"""``height x width`` of class numbers, ``IGNORE`` where there is no label."""


def read_mask(path: Path, classes: int) -> Mask:
    """Reads a mask as class numbers below ``classes``.

    Raises:
        PictureError: missing or no picture.
        UserError: in colour, or with values that fit neither convention.
    """
    with open_picture(path) as image:
        values = _single_channel(image, path)
    return _binary(values, path) if classes == 2 else _class_numbers(values, classes, path)


def resized_mask(mask: Mask, size: tuple[int, int]) -> Mask:
    """The mask at another (height, width).

    Masks of background and person are averaged, then thresholded at one half; others take the nearest pixel.
    """
    if mask.shape == size:
        return mask
    height, width = size
    if mask.size and mask.max() <= 1:
        soft = Image.fromarray(mask * np.uint8(255)).resize((width, height), Image.Resampling.BILINEAR)
        return (np.asarray(soft) >= 128).astype(np.uint8)
    return np.asarray(Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST), np.uint8)


def _single_channel(image: Image.Image, path: Path) -> Mask:
    if image.mode == "PA":
        image = image.convert("P")
    values = np.asarray(image)
    if values.ndim == 2:
        # Class numbers may be saved as floats; fractions are those of a smoothed mask.
        whole = np.issubdtype(values.dtype, np.floating) and np.array_equal(values, np.rint(values))
        return eight_bits(values.astype(np.int64) if whole else values)
    colours = values[..., :1] if image.mode == "LA" else values[..., :3]
    if (colours != colours[..., :1]).any():
        raise UserError(
            "mask", seen=f"{path} in colour", expected="one channel, or a palette, of class numbers or of 0 and 255",
            remedy="save the mask as a grey or palette PNG",
        )  # fmt: skip
    return np.ascontiguousarray(colours[..., 0], np.uint8)


def _binary(values: Mask, path: Path) -> Mask:
    highest = int(values.max(initial=0))
    _logger.debug("mask %s: values up to %d, person from %d", path, highest, 1 if highest <= 1 else 128)
    if highest <= 1:
        return values
    if highest < 128:
        raise UserError(
            "mask", seen=f"{path} with values up to {highest}", expected="0 and 1, or 0 and 255",
            remedy="name the classes, one a line, in classes.txt next to the images folder",
        )  # fmt: skip
    return (values >= 128).astype(np.uint8)


def _class_numbers(values: Mask, classes: int, path: Path) -> Mask:
    known = values[values != IGNORE]
    unlabelled = values.size - known.size
    _logger.debug("mask %s: class numbers up to %d, %d pixels unlabelled", path, known.max(initial=0), unlabelled)
    if known.size and known.max() >= classes:
        raise UserError(
            "mask", seen=f"{path} with value {known.max()}", expected=f"class numbers below {classes}, or {IGNORE}",
            remedy="add the missing names to classes.txt or correct the mask",
        )  # fmt: skip
    return values
