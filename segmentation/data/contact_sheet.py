"""A first look at a data source: a few pairs on one picture, so that a person sees how they are read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from foundation.class_colours import COLOURS, painted
from foundation.overlay import overlay
from segmentation.data.picture_rows import HEIGHT, LINE, pixels, row, sheet, write_line
from segmentation.data.source import DataSource
from segmentation.losses import IGNORE

_PAIRS = 5
_TEXT_WIDTH = 250
_LINES = HEIGHT // LINE


def contact_sheet(source: DataSource, *, photographs: bool = True) -> bytes:
    """A PNG of up to five training pairs: photograph, mask laid over it, class names with their shares of pixels.

    Args:
        source: any data source.
        photographs: False shows the masks alone.
    """
    part = source.train
    chosen = np.unique(np.linspace(0, len(part) - 1, min(_PAIRS, len(part))).round().astype(int))
    rows = [_row(*_pixels(source, int(index)), source.classes, photographs=photographs) for index in chosen]
    return sheet(f"{len(rows)} of {len(part)} training pairs at {part.size[0]} x {part.size[1]} (height x width)", rows)


def class_shares(mask: NDArray[np.uint8], classes: Sequence[str]) -> list[tuple[int, str, float]]:
    """The classes of a mask with their names and shares of its pixels, by number; without label comes last."""
    counts = np.bincount(mask.reshape(-1), minlength=256)
    names = {**dict(enumerate(classes)), IGNORE: "no label"}
    return [(int(number), names[int(number)], float(counts[number] / mask.size)) for number in np.flatnonzero(counts)]


def _pixels(source: DataSource, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    image, mask = source.train[index]
    return pixels(image), mask.numpy().astype(np.uint8)


def _row(
    picture: NDArray[np.uint8], mask: NDArray[np.uint8], classes: Sequence[str], *, photographs: bool
) -> Image.Image:
    panels = [picture, overlay(picture, mask)] if photographs else [painted(mask)]
    made, left = row(panels, _TEXT_WIDTH)
    _legend(made, left, class_shares(mask, classes))
    return made


def _legend(image: Image.Image, left: int, shares: Sequence[tuple[int, str, float]]) -> None:
    """Colour, number, name and share of each class; of many, the largest."""
    draw = ImageDraw.Draw(image)
    shown = sorted(shares, key=lambda share: -share[2])[: _LINES if len(shares) <= _LINES else _LINES - 1]
    for line, (number, name, share) in enumerate(sorted(shown)):
        top = line * LINE
        draw.rectangle((left, top + 2, left + 11, top + 13), fill=tuple(COLOURS[number].tolist()))
        label = name if number == IGNORE else f"{number} {name}"
        write_line(draw, (left + 18, top), f"{100 * share:4.1f} %  {label}", _TEXT_WIDTH - 18)
    if len(shown) < len(shares):
        write_line(draw, (left, len(shown) * LINE), f"and {len(shares) - len(shown)} smaller ones", _TEXT_WIDTH)
