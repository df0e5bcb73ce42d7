"""What a mask file holds: grey values, palette indices or colours, and opacity. Nothing is interpreted here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from foundation.errors import UserError
from foundation.picture import open_picture

Values = npt.NDArray[Any]
Kind = Literal["bits", "grey", "palette", "colour"]

_HIGHEST = 65535
_LOSSY_GREY = 24
"""Largest difference between the channels of a grey that JPEG has coloured."""


@dataclass(frozen=True, slots=True)
class MaskPlanes:
    """A mask as it is stored, upright by its own EXIF orientation. All arrays are ``height x width``."""

    kind: Kind
    values: Values
    """Bits (bool), grey values (any type), palette indices (uint8), or colours ``0xRRGGBB`` (int32)."""
    palette: Values | None = None
    """Colours ``0xRRGGBB`` by index."""
    opacity: Values | None = None
    alpha_channel: bool = False
    """Whether the opacity is a channel of its own, not one transparent colour of a palette."""
    lossy: bool = False
    """Whether compression changes values."""


def read_planes(path: Path) -> MaskPlanes:
    """Reads a mask's first frame.

    Raises:
        PictureError: missing or no picture.
        UserError: a grey value that is not between 0 and 65535.
    """
    with open_picture(path) as image:
        image.load()
        lossy = image.format == "JPEG"
        upright = ImageOps.exif_transpose(image)
    opacity, channel = _opacity(upright)
    kind, values = _values(upright, lossy=lossy)
    if kind == "grey":
        _check(values, path)
    return MaskPlanes(kind, values, _palette(upright), opacity, channel, lossy)


def _values(image: Image.Image, *, lossy: bool) -> tuple[Kind, Values]:
    if image.mode in ("P", "PA"):
        return "palette", np.array(image if image.mode == "P" else image.getchannel("P"), np.uint8)
    if image.mode in ("LA", "La"):
        return "grey", np.array(image.getchannel("L"))
    if len(image.getbands()) == 1:
        return "bits" if image.mode == "1" else "grey", np.array(image)
    return _colours(image, lossy=lossy)


def _colours(image: Image.Image, *, lossy: bool) -> tuple[Kind, Values]:
    """Colours, or greys where red, green and blue are equal."""
    rgb = np.asarray(image.convert("RGBA" if image.mode == "RGBa" else "RGB"))[..., :3].astype(np.int32)
    difference = int((rgb.max(2) - rgb.min(2)).max(initial=0))
    if difference == 0:
        return "grey", rgb[..., 0].astype(np.uint8)
    if lossy and difference <= _LOSSY_GREY:
        return "grey", np.rint(rgb.mean(2)).astype(np.uint8)
    return "colour", packed(rgb)


def packed(rgb: Values) -> Values:
    """Colours ``... x 3`` as one int32 each, ``0xRRGGBB``."""
    channels = rgb.astype(np.int32)
    return channels[..., 0] << 16 | channels[..., 1] << 8 | channels[..., 2]


def _palette(image: Image.Image) -> Values | None:
    if image.mode == "PA":
        image = image.convert("P") if image.palette is None else image
    palette = image.getpalette("RGB") if image.mode in ("P", "PA") else None
    if palette is None:
        return None
    colours = np.zeros((256, 3), np.int32)
    colours[: len(palette) // 3] = np.reshape(palette, (-1, 3))
    return packed(colours)


def _opacity(image: Image.Image) -> tuple[Values | None, bool]:
    bands = image.getbands()
    if bands[-1] in ("A", "a"):
        return np.array(image.getchannel(len(bands) - 1)), True
    if image.mode in ("P", "L", "RGB") and image.has_transparency_data:
        return np.array(image.convert("RGBA").getchannel("A")), False
    return None, False


def _check(values: Values, path: Path) -> None:
    if values.dtype == np.uint8 or not values.size:
        return
    wrong = values[~((values >= 0) & (values <= _HIGHEST))]
    if wrong.size:
        raise UserError(
            "mask", seen=f"{path} with the value {wrong[0]}", expected=f"values from 0 to {_HIGHEST}",
            remedy="save the masks as 8-bit PNGs, with 255 where there is no label",
        )  # fmt: skip
