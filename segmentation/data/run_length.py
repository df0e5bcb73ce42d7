"""Run lengths of COCO as masks (``cocoapi``, ``maskApi.c``)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_LONGEST = 7
"""Characters of a number; ``cocoapi`` writes 32-bit integers."""


def decoded(counts: Sequence[int] | str, height: int, width: int) -> NDArray[np.bool_]:
    """Run lengths, column by column, of pixels outside and inside by turns; a text is their compressed form.

    Raises:
        ValueError: other than ``height * width`` pixels, or a text that is no run lengths.
    """
    runs = np.array(_numbers(counts) if isinstance(counts, str) else counts, np.int64)
    if (runs < 0).any() or (runs > height * width).any() or runs.sum() != height * width:
        raise ValueError(f"run lengths that do not add up to {width} x {height} pixels")
    inside = np.arange(runs.size) % 2 == 1
    return np.repeat(inside, runs).reshape(width, height).T


def _numbers(text: str) -> list[int]:
    """Numbers of 5 bits a character, lowest bits first; from the fourth on the difference to that two places before."""
    numbers: list[int] = []
    value = length = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or length == _LONGEST:
            raise ValueError("a text that is no run lengths")
        value |= (bits & 31) << 5 * length
        length += 1
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << 5 * length
        numbers.append(value + numbers[-2] if len(numbers) > 2 else value)
        value = length = 0
    if length:
        raise ValueError("a text that ends within a number")
    return numbers
