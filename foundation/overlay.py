"""Masks laid over pictures, so that a person sees where their edges lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foundation.class_colours import painted

_LINE_SHARE = 1 / 300
"""Width of a contour, as a share of the longer side of the picture."""

Pixels = NDArray[np.uint8]


def overlay(picture: Pixels, mask: Pixels) -> Pixels:
    """The classes laid over a picture: half their colour inside, their full colour along their edges.

    The background, class 0, is left as it is.

    Args:
        picture: height x width x 3.
        mask: class numbers, height x width; 255 is no label.
    """
    colours = painted(mask)
    mixed = picture // 2 + colours // 2 + (picture & colours & 1)  # the mean, without numbers of more than 8 bits
    mixed = np.where((mask == 0)[..., None], picture, mixed)
    return np.where((_contour(mask) & (mask != 0))[..., None], colours, mixed)


def _contour(mask: Pixels) -> NDArray[np.bool_]:
    """Pixels that have one of another class near them in their row or column."""
    found = np.zeros(mask.shape, np.bool_)
    for distance in range(1, max(1, round(max(mask.shape) * _LINE_SHARE)) + 1):
        rows = mask[distance:] != mask[:-distance]
        columns = mask[:, distance:] != mask[:, :-distance]
        found[distance:] |= rows
        found[:-distance] |= rows
        found[:, distance:] |= columns
        found[:, :-distance] |= columns
    return found
