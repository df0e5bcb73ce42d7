"""Polygons as masks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Ring = Sequence[tuple[float, float]]
"""Corners (x, y) in pixels; (0, 0) is the upper left corner of the first pixel. The last is joined to the first."""


def filled(rings: Iterable[Ring], height: int, width: int) -> NDArray[np.bool_]:
    """Pixels whose centres lie within an odd number of rings, so that a ring within another one is a hole.

    Each edge of a ring changes, in every row that it crosses, the state of all pixels to the right of it.
    """
    changes = np.zeros((height, width + 1), np.uint8)
    for ring in rings:
        for (x0, y0), (x1, y1) in zip(ring, [*ring[1:], *ring[:1]], strict=True):
            low, high = sorted((y0, y1))
            rows = np.arange(max(0, math.ceil(low - 0.5)), min(height, math.ceil(high - 0.5)))
            if rows.size:
                crossing = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
                changes[rows, np.ceil(crossing - 0.5).clip(0, width).astype(int)] ^= 1
    return np.bitwise_xor.accumulate(changes[:, :-1], axis=1).astype(bool)
