"""A first look at a data source: a few pairs on one picture, so that a person sees how they are read."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from segmentation.data.class_colours import COLOURS, painted
from segmentation.data.source import DataSource
from segmentation.losses import IGNORE

_PAIRS = 5
_HEIGHT = 190
_MARGIN = 12
_TEXT_WIDTH = 250
_LINE = 17
_LINES = _HEIGHT // _LINE
_FONT_SIZE = 13
_TINT = 0.5
"""Share of the class's colour in the overlay; the background is left as it is."""


def contact_sheet(source: DataSource, *, photographs: bool = True) -> bytes:
    """A PNG of up to five training pairs: photograph, mask laid over it, class names with their shares of pixels.

    Args:
        source: any data source.
        photographs: False shows the masks alone.
    """
    part = source.train
    chosen = np.unique(np.linspace(0, len(part) - 1, min(_PAIRS, len(part))).round().astype(int))
    rows = [_row(*_pixels(source, int(index)), source.classes, photographs=photographs) for index in chosen]
    title = f"{len(rows)} of {len(part)} training pairs at {part.size[0]} x {part.size[1]} (height x width)"
    width = max(row.width for row in rows) + 2 * _MARGIN
    sheet = Image.new("RGB", (width, _LINE + 2 * _MARGIN + len(rows) * (_HEIGHT + _MARGIN)), "white")
    _write(ImageDraw.Draw(sheet), (_MARGIN, _MARGIN), title, width - 2 * _MARGIN)
    for number, row in enumerate(rows):
        sheet.paste(row, (_MARGIN, _LINE + 2 * _MARGIN + number * (_HEIGHT + _MARGIN)))
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def class_shares(mask: NDArray[np.uint8], classes: Sequence[str]) -> list[tuple[int, str, float]]:
    """The classes of a mask with their names and shares of its pixels, by number; without label comes last."""
    counts = np.bincount(mask.reshape(-1), minlength=256)
    names = {**dict(enumerate(classes)), IGNORE: "no label"}
    return [(int(number), names[int(number)], float(counts[number] / mask.size)) for number in np.flatnonzero(counts)]


def _pixels(source: DataSource, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    image, mask = source.train[index]
    picture = (255 * image).round().permute(1, 2, 0).numpy().astype(np.uint8)
    return picture, mask.numpy().astype(np.uint8)


def _row(
    picture: NDArray[np.uint8], mask: NDArray[np.uint8], classes: Sequence[str], *, photographs: bool
) -> Image.Image:
    panels = [picture, _overlay(picture, mask)] if photographs else [painted(mask)]
    images = [_panel(panel) for panel in panels]
    left = sum(image.width + _MARGIN for image in images)
    row = Image.new("RGB", (left + _TEXT_WIDTH, _HEIGHT), "white")
    for number, image in enumerate(images):
        row.paste(image, (number * (image.width + _MARGIN), 0))
    _legend(row, left, class_shares(mask, classes))
    return row


def _overlay(picture: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    mixed = (1 - _TINT) * picture + _TINT * painted(mask)
    return np.where(mask[..., None] == 0, picture, mixed.round()).astype(np.uint8)


def _panel(pixels: NDArray[np.uint8]) -> Image.Image:
    image = Image.fromarray(pixels)
    return image.resize((max(1, round(image.width * _HEIGHT / image.height)), _HEIGHT), Image.Resampling.BILINEAR)


def _legend(row: Image.Image, left: int, shares: Sequence[tuple[int, str, float]]) -> None:
    """Colour, number, name and share of each class; of many, the largest."""
    draw = ImageDraw.Draw(row)
    shown = sorted(shares, key=lambda share: -share[2])[: _LINES if len(shares) <= _LINES else _LINES - 1]
    for line, (number, name, share) in enumerate(sorted(shown)):
        top = line * _LINE
        draw.rectangle((left, top + 2, left + 11, top + 13), fill=tuple(COLOURS[number].tolist()))
        label = name if number == IGNORE else f"{number} {name}"
        _write(draw, (left + 18, top), f"{100 * share:4.1f} %  {label}", _TEXT_WIDTH - 18)
    if len(shown) < len(shares):
        _write(draw, (left, len(shown) * _LINE), f"and {len(shares) - len(shown)} smaller ones", _TEXT_WIDTH)


def _write(draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, width: int) -> None:
    font = ImageFont.load_default(_FONT_SIZE)
    if isinstance(font, ImageFont.ImageFont):  # Pillow without FreeType draws ASCII only
        text = text.encode("ascii", "replace").decode()
    while draw.textlength(text, font=font) > width:
        text = text.removesuffix("...")[:-1] + "..."
    draw.text(place, text, fill="black", font=font)
