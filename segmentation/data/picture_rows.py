"""Rows of small pictures with text on one sheet, as a PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

HEIGHT = 190
"""Of a row, in pixels."""
LARGE = 240
"""Of a row whose edges are looked at."""
MARGIN = 12
LINE = 17
"""Height of a line of text."""
_FONT_SIZE = 13

Pixels = NDArray[np.uint8]


def pixels(image: Tensor) -> Pixels:
    """An image in 0..1, ``3 x height x width``, as height x width x 3."""
    return np.asarray((255 * image).round().permute(1, 2, 0).numpy(), np.uint8)


def row(panels: Sequence[Pixels], text_width: int) -> tuple[Image.Image, int]:
    """The panels side by side with room for text behind them, and where that begins."""
    images = [_panel(panel) for panel in panels]
    left = sum(image.width + MARGIN for image in images)
    made = Image.new("RGB", (left + text_width, HEIGHT), "white")
    for number, image in enumerate(images):
        made.paste(image, (number * (image.width + MARGIN), 0))
    return made, left


def captioned(caption: str, panels: Sequence[Pixels]) -> Image.Image:
    """The panels side by side below a line of text, larger than those of ``row``: their edges are looked at."""
    images = [_panel(panel, LARGE) for panel in panels]
    width = sum(image.width + MARGIN for image in images) - MARGIN
    made = Image.new("RGB", (width, LINE + LARGE), "white")
    write_line(ImageDraw.Draw(made), (0, 0), caption, width)
    left = 0
    for image in images:
        made.paste(image, (left, LINE))
        left += image.width + MARGIN
    return made


def sheet(title: str, rows: Sequence[Image.Image]) -> bytes:
    """The rows below each other under a title."""
    width = max(row.width for row in rows) + 2 * MARGIN
    top = LINE + 2 * MARGIN
    made = Image.new("RGB", (width, top + sum(row.height + MARGIN for row in rows)), "white")
    write_line(ImageDraw.Draw(made), (MARGIN, MARGIN), title, width - 2 * MARGIN)
    for each in rows:
        made.paste(each, (MARGIN, top))
        top += each.height + MARGIN
    buffer = io.BytesIO()
    made.save(buffer, "PNG")
    return buffer.getvalue()


def write_line(draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, width: int) -> None:
    """One line of text, cut to ``width``."""
    font = ImageFont.load_default(_FONT_SIZE)
    if isinstance(font, ImageFont.ImageFont):  # Pillow without FreeType draws ASCII only
        text = text.encode("ascii", "replace").decode()
    while draw.textlength(text, font=font) > width:
        text = text.removesuffix("...")[:-1] + "..."
    draw.text(place, text, fill="black", font=font)


def _panel(picture: Pixels, height: int = HEIGHT) -> Image.Image:
    image = Image.fromarray(picture)
    return image.resize((max(1, round(image.width * height / image.height)), height), Image.Resampling.BILINEAR)
