"""Masks have the size of their photographs, or are brought to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import numpy as np
from PIL import Image

from foundation.errors import UserError
from segmentation.data.exif import PictureShape, picture_shape
from segmentation.data.mask_convention import Mask
from segmentation.data.pair_files import PairFiles

_Size = tuple[int, int]

_SAME_SIZE = 4
"""The highest EXIF orientation that keeps height and width."""


def check_sizes(pairs: Sequence[PairFiles], *, resize_masks: bool) -> list[str]:
    """Reads the header of every file; refuses a mask of another size than its image unless it may be resized.

    Masks whose height and width are exchanged are refused in any case.

    Returns:
        Notes on masks whose orientation their size does not show.

    Raises:
        PictureError: a file that cannot be opened.
        UserError: a mask of another size.
    """
    turned = []
    for pair in pairs:
        image, mask = picture_shape(pair[0]), picture_shape(pair[1])
        if image.size != mask.size and _exchanged(image.size, mask.size):
            _refuse_orientation(pair, image, mask)
        if image.size != mask.size and not resize_masks:
            raise UserError(
                f"size of mask {pair[1]}",
                seen=_text(mask.size),
                expected=f"{image.size[1]} x {image.size[0]} like its image {pair[0].name}",
                remedy="correct the mask, or let masks be resized with folder:PATH?resize-masks",
            )
        if mask.orientation == 1 and _turned_unseen(image):
            turned.append(pair[0].name)
    if not turned:
        return []
    return [
        f"{len(turned)} photographs (such as {turned[0]}) are turned by their EXIF orientation and their masks have "
        "none: the masks are taken as upright"
    ]


def resized_mask(mask: Mask, size: _Size) -> Mask:
    """The mask at another (height, width).

    Masks of background and person are averaged, then thresholded at one half; others take the nearest pixel.
    """
    if mask.shape == size:
        return mask
    height, width = size
    if mask.size and mask.max() <= 1:
        soft = Image.fromarray(mask * np.uint8(255)).resize((width, height), Image.Resampling.BILINEAR)
        return (np.asarray(soft) >= 128).astype(np.uint8)
    return np.array(Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST), np.uint8)


def _exchanged(image: _Size, mask: _Size) -> bool:
    """Whether the mask has the image's shape only after a quarter turn (height by width, within a pixel)."""

    def fits(height: int, width: int) -> bool:
        return abs(height * image[1] - width * image[0]) <= max(image)

    return fits(mask[1], mask[0]) and not fits(*mask)


def _turned_unseen(image: PictureShape) -> bool:
    """Whether the orientation changes the picture but not its size."""
    return image.orientation > 1 and (image.orientation <= _SAME_SIZE or image.size[0] == image.size[1])


def _refuse_orientation(pair: PairFiles, image: PictureShape, mask: PictureShape) -> NoReturn:
    turned = [
        f"the {name} has the EXIF orientation {shape.orientation}"
        for name, shape in (("photograph", image), ("mask", mask))
        if shape.orientation != 1
    ]
    raise UserError(
        f"orientation of mask {pair[1]}",
        seen=f"{_text(mask.size)}, upright, where {'; '.join(turned) or 'neither file has an EXIF orientation'}",
        expected=f"height and width like {_text(image.size)} of {pair[0].name}, upright; they are exchanged",
        remedy="turn the mask by a quarter, or give both files the same EXIF orientation",
    )


def _text(size: _Size) -> str:
    return f"{size[1]} x {size[0]} pixels"
