"""Masks of any kind and depth as levels from 0 to 255, read in the same way in a whole folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from segmentation.data.mask_counts import MaskCounts, rounded
from segmentation.data.mask_opacity import mask_is_opacity
from segmentation.data.mask_palette import Reading, class_number_reading, two_class_reading
from segmentation.data.mask_planes import Kind, MaskPlanes, Values
from segmentation.losses import IGNORE

Levels = npt.NDArray[np.uint8]

_DEEPEST = 65535


@dataclass(frozen=True, slots=True)
class LevelCounts:
    """How many pixels of one mask have each level."""

    path: Path
    levels: Counter[int]
    bits: bool
    """Whether the mask has one bit for each pixel, so that its levels say nothing of the convention."""
    lossy: bool


@dataclass(frozen=True, slots=True)
class MaskReading:
    """How the levels of a folder's masks are read."""

    opacity: bool
    """Whether the opacity is the mask."""
    colours: Reading
    deep: Literal["same", "void", "divided"]
    """Values above 255: none; 65535 alone, which is 255; 16-bit greys, divided by 257."""
    shares: bool
    """Whether floats are shares of 255."""
    set_bit: int
    """Level of a set bit of 1-bit masks."""

    def levels(self, planes: MaskPlanes) -> Levels:
        """The mask's levels, ``height x width``."""
        if self.opacity and planes.opacity is not None:
            return planes.opacity.astype(np.uint8)
        return self._levels(planes.kind, planes.values, planes.palette)

    def count(self, mask: MaskCounts) -> LevelCounts:
        """The levels of a mask that was counted."""
        if self.opacity and mask.opacity is not None and mask.opacity_pixels is not None:
            levels, pixels = mask.opacity, mask.opacity_pixels
        else:
            levels, pixels = self._levels(mask.kind, mask.values, mask.palette), mask.pixels
        counts: Counter[int] = Counter()
        for level, number in zip(levels.tolist(), pixels.tolist(), strict=True):
            counts[level] += number
        return LevelCounts(mask.path, counts, mask.kind == "bits" and not self.opacity, mask.lossy)

    def _levels(self, kind: Kind, values: Values, palette: Values | None) -> Levels:
        if kind == "bits":
            return np.where(values, self.set_bit, 0).astype(np.uint8)
        if kind == "colour":
            return np.where(values, 255, 0).astype(np.uint8)
        if kind == "palette" and palette is not None and self.colours != "index":
            colours = palette[values]
            return (colours & 255 if self.colours == "grey" else np.where(colours, 255, 0)).astype(np.uint8)
        if np.issubdtype(values.dtype, np.floating):
            values = rounded(values) * (255 if self.shares else 1)
            return np.rint(values).clip(0, 255).astype(np.uint8)
        return values.astype(np.uint8) if values.dtype == np.uint8 else self._shallow(values)

    def _shallow(self, values: Values) -> Levels:
        if self.deep == "void":
            values = np.where(values == _DEEPEST, IGNORE, values)
        elif self.deep == "divided":
            values = np.rint(values / 257)
        return values.astype(np.uint8)


def choose_reading(masks: Sequence[MaskCounts], classes: int) -> MaskReading:
    """The one way in which all masks of a folder are read; with two classes colours decide, else class numbers.

    Raises:
        UserError: the masks allow no reading, or several.
    """
    opacity = mask_is_opacity(masks)
    binary = classes == 2
    colours: Reading = "index"
    if not opacity:
        colours = two_class_reading(masks) if binary else class_number_reading(masks, classes)
    greys = [mask.values for mask in masks if mask.kind == "grey"]
    floats = [values for values in greys if np.issubdtype(values.dtype, np.floating)]
    fractions = [values for values in floats if (values != np.rint(values)).any()]
    return MaskReading(
        opacity=opacity,
        colours=colours,
        deep=_depth([v for v in greys if np.issubdtype(v.dtype, np.integer) and v.dtype != np.uint8], binary=binary),
        shares=bool(fractions),
        set_bit=255 if binary else 1,
    )


def _depth(deep: Sequence[Values], *, binary: bool) -> Literal["same", "void", "divided"]:
    found = {value for values in deep for value in values.tolist()}
    if max(found, default=0) <= IGNORE:
        return "same"
    numbers = found - {_DEEPEST}
    if max(numbers, default=0) < IGNORE and (any(numbers) or not binary):
        return "void"
    return "divided"
