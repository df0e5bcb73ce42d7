"""What the values of a folder's masks mean: decided once over all of its masks, then the same for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from foundation.errors import UserError
from segmentation.data.mask_counts import MaskCounts, count_masks
from segmentation.data.mask_levels import LevelCounts, MaskReading, choose_reading
from segmentation.data.mask_planes import read_planes
from segmentation.data.two_class_masks import UNKNOWN, Meaning, two_class_meaning
from segmentation.losses import IGNORE

Mask = npt.NDArray[np.uint8]
"""``height x width`` of class numbers, ``IGNORE`` where there is no label."""

_BY_READING = {"index": "palette index", "grey": "grey level", "tint": "colour (0 black, 255 the other one)"}


@dataclass(frozen=True, slots=True)
class MaskConvention:
    """Reads the masks of a folder as class numbers."""

    reading: MaskReading
    meaning: Meaning
    text: str
    """What was decided, for people."""
    as_ever: bool
    """Whether the first versions, which decided mask by mask, read these masks in the same way."""

    def read(self, path: Path) -> Mask:
        """The mask, upright by its own EXIF orientation.

        Raises:
            PictureError: missing or no picture.
            UserError: values that the folder's masks did not have when the convention was decided.
        """
        levels = self.reading.levels(read_planes(path))
        labels = np.array(self.meaning.table, np.int16)[levels]
        if (labels == UNKNOWN).any():
            raise UserError(
                "mask", seen=f"{path} with value {levels[labels == UNKNOWN][0]}", expected=self.text,
                remedy="it was changed while it was in use: start again",
            )  # fmt: skip
        return labels.astype(np.uint8)


def mask_convention(paths: Sequence[Path], classes: int) -> MaskConvention:
    """Decides how masks are read.

    With two classes (background, person): ``two_class_masks.two_class_meaning``. With more, values are class numbers
    and 255 where there is no label; of palette files the indices count, unless their grey levels are class numbers.
    Opacity is the mask where the colours are one and the same.

    Raises:
        PictureError: a mask that cannot be read.
        UserError: no convention fits all masks, or several do.
    """
    masks = count_masks(paths)
    reading = choose_reading(masks, classes)
    counts = [reading.count(mask) for mask in masks]
    if classes == 2:
        meaning = two_class_meaning(counts)
        if meaning.table[1] == 1 and any(mask.kind == "bits" for mask in masks):
            reading = replace(reading, set_bit=1)
    else:
        meaning = _class_numbers(counts, classes)
        _require_exact(masks, reading, classes)
    if reading.opacity:
        how = "opacity, as the colours are constant"
    else:
        how = _BY_READING[reading.colours] if any(mask.kind in ("palette", "colour") for mask in masks) else "value"
    by_number = how in ("value", _BY_READING["index"]) and reading.deep != "void"
    as_ever = by_number and (classes > 2 or IGNORE not in meaning.table)
    return MaskConvention(reading, meaning, f"masks by {how}: {meaning.text}", as_ever)


def _class_numbers(masks: Sequence[LevelCounts], classes: int) -> Meaning:
    for mask in masks:
        if mask.lossy:
            raise UserError(
                "mask", seen=f"{mask.path} in JPEG, which changes values", expected="class numbers in a PNG",
                remedy="make the masks again and save them as PNG",
            )  # fmt: skip
        unknown = [level for level in mask.levels if level >= classes and level != IGNORE]
        if unknown:
            _refuse_number(mask.path, max(unknown), classes)
    table = [level if level < classes else UNKNOWN for level in range(256)]
    table[IGNORE] = IGNORE
    unlabelled = any(mask.levels[IGNORE] for mask in masks)
    return Meaning(tuple(table), "class numbers" + (f", {IGNORE} unlabelled and ignored" if unlabelled else ""))


def _require_exact(masks: Sequence[MaskCounts], reading: MaskReading, classes: int) -> None:
    """Class numbers are never rounded."""
    for mask in masks:
        if reading.opacity or mask.kind != "grey":
            continue
        exact = mask.values == np.rint(mask.values)
        if reading.deep == "divided" and mask.values.dtype != np.uint8:
            exact &= mask.values % 257 == 0
        if not exact.all():
            _refuse_number(mask.path, mask.values[~exact][0], classes)


def _refuse_number(path: Path, value: float, classes: int) -> NoReturn:
    raise UserError(
        "mask", seen=f"{path} with value {value:g}", expected=f"class numbers below {classes}, or {IGNORE}",
        remedy="add the missing names to classes.txt or correct the mask",
    )  # fmt: skip
