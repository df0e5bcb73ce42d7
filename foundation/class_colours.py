"""Colours in which masks are painted for people."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import NDArray

_FIRST = ((17, 24, 39), (240, 171, 0), (11, 122, 117), (194, 65, 12), (91, 33, 182), (37, 99, 235))
_NO_LABEL, _MAGENTA = 255, (255, 0, 255)
_GOLDEN_ANGLE = 0.381966
"""Share of a full turn: hues at multiples of it are far from those just before."""


def _colour(number: int) -> tuple[int, ...]:
    if number < len(_FIRST):
        return _FIRST[number]
    rgb = colorsys.hsv_to_rgb(number * _GOLDEN_ANGLE % 1, 0.45 + 0.2 * (number % 3), 0.95 - 0.15 * (number % 4))
    return tuple(round(255 * share) for share in rgb)


COLOURS: NDArray[np.uint8] = np.array(
    [_colour(number) if number != _NO_LABEL else _MAGENTA for number in range(256)], np.uint8
)
"""256 x 3, by class; that of 255, no label, is magenta."""


def painted(mask: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Class numbers (height x width) in their colours (height x width x 3)."""
    result: NDArray[np.uint8] = COLOURS[mask]
    return result
