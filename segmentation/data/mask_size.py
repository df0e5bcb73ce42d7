"""Masks have the size of their photographs, or are brought to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

import numpy as np
from PIL import Image

from foundation.errors import UserError
from foundation.picture import PictureError
from segmentation.data.exif import PictureShape, picture_shape
from segmentation.data.mask_convention import Mask
from segmentation.data.pair_files import PairFiles

_Size = tuple[int, int]

_SAME_SIZE = 4
"""The highest EXIF orientation that keeps height and width."""


def check_sizes(pairs: Sequence[PairFiles], *, resize_masks: bool) -> list[str]:
    """As ``check_shapes``, for masks that are files; reads the header of every file."""
    return check_shapes(
        ((image, mask, partial(picture_shape, mask)) for image, mask in pairs), resize_masks=resize_masks
    )


def check_shapes(pairs: Iterable[tuple[Path, object, Callable[[], PictureShape]]], *, resize_masks: bool) -> list[str]:
    """Reads the header of every image; refuses a mask of another size than its image unless it may be resized.

    Masks whose height and width are exchanged are refused in any case.

    Args:
        pairs: each image with the name of its mask and a function that returns the shape of its mask.
        resize_masks: whether a mask may have another size.

    Returns:
        Notes on masks whose orientation their size does not show.

    Raises:
        PictureError: files that cannot be opened; the first one is named.
        UserError: a mask of another size.
    """
    turned = []
    broken = []
    for path, name, shape_of_mask in pairs:
        try:
            image, mask = picture_shape(path), shape_of_mask()
        except PictureError as error:
            broken.append(error)
            continue
        if image.size != mask.size and _exchanged(image.size, mask.size):
            _refuse_orientation(path, name, image, mask)
        if image.size != mask.size and not resize_masks:
            raise UserError(
                f"size of mask {name}",
                seen=_text(mask.size),
                expected=f"{image.size[1]} x {image.size[0]} like its image {path.name}",
                remedy="correct the mask, or let masks be resized with ?resize-masks behind the path",
            )
        if mask.orientation == 1 and _turned_unseen(image):
            turned.append(path.name)
    if broken:
        more = f", and {len(broken) - 1} more files that cannot be read" if len(broken) > 1 else ""
        raise PictureError(broken[0].path, broken[0].reason + more)
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


def _refuse_orientation(path: Path, name: object, image: PictureShape, mask: PictureShape) -> NoReturn:
    turned = [
        f"the {kind} has the EXIF orientation {shape.orientation}"
        for kind, shape in (("photograph", image), ("mask", mask))
        if shape.orientation != 1
    ]
    raise UserError(
        f"orientation of mask {name}",
        seen=f"{_text(mask.size)}, upright, where {'; '.join(turned) or 'neither file has an EXIF orientation'}",
        expected=f"height and width like {_text(image.size)} of {path.name}, upright; they are exchanged",
        remedy="turn the mask by a quarter, or give both files the same EXIF orientation",
    )


def _text(size: _Size) -> str:
    return f"{size[1]} x {size[0]} pixels"
