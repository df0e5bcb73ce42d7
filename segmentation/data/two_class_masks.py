"""What the levels of background and person masks mean, decided over all masks of a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from foundation.errors import UserError
from segmentation.data.mask_levels import LevelCounts
from segmentation.losses import IGNORE

UNKNOWN = -1
_MIDDLE = 128
_UNDECIDED = (127, 128)
"""Levels that mark a contour where they are the only ones between black and white."""
_NEAR = 32
"""Levels as near as this to black or white are those of a smoothed edge or of JPEG."""
_FEW = 3
"""Levels of a folder; smoothed edges and JPEG make more."""
_MAX_VOID = 0.1
"""Largest share of unlabelled pixels in a mask that has no person."""

_Sort = Literal["empty", "numbers", "numbers and void", "white", "smooth", "faint", "either", "other"]


@dataclass(frozen=True, slots=True)
class Meaning:
    """The class of each level."""

    table: tuple[int, ...]
    """By level: a class, ``IGNORE``, or ``UNKNOWN`` for levels that no mask has."""
    text: str


def two_class_meaning(masks: Sequence[LevelCounts]) -> Meaning:
    """Background and person by level.

    0 and 1, with 255 where there is no label; or 0 and 255, with any greys at smoothed edges, of which those from 128
    on are the person; or 0, 128 and 255 where 128 is a thin contour without label.

    Raises:
        UserError: the levels have no such meaning, or several, or two masks have different ones.
    """
    first: dict[_Sort, LevelCounts] = {}
    for mask in masks:
        first.setdefault(_sort(mask), mask)
    if "other" in first:
        _refuse_numbers(first["other"])
    if "numbers and void" in first or "numbers" in first:
        return _numbers(masks, first)
    return _white(masks, first)


def _sort(mask: LevelCounts) -> _Sort:
    found = {level for level, pixels in mask.levels.items() if pixels} - {0}
    if not found or mask.bits:
        return "empty"
    if found == {1, IGNORE}:
        return "numbers and void" if mask.levels[1] >= mask.levels[IGNORE] else "either"
    if found == {1}:
        return "numbers"
    if found == {IGNORE}:
        return "white"
    if max(found) >= _MIDDLE:
        return "smooth"
    return "faint" if mask.lossy else "other"


def _numbers(masks: Sequence[LevelCounts], first: dict[_Sort, LevelCounts]) -> Meaning:
    void = first.get("numbers and void") or first.get("either")
    number = first.get("numbers and void") or first["numbers"]
    for sort in ("smooth", "faint"):
        if sort in first:
            _refuse_mixture(number, first[sort])
    for mask in masks:
        if _sort(mask) == "white" and (void is None or mask.levels[IGNORE] > _MAX_VOID * mask.levels.total()):
            _refuse_mixture(number, mask)
    total = _total([mask for mask in masks if not mask.bits])
    if total[IGNORE] > total[1]:
        assert void is not None
        _refuse_either(void)
    text = "0 background, 1 person" + (f", {IGNORE} unlabelled and ignored" if void else "")
    return Meaning((0, 1, *[UNKNOWN] * 253, IGNORE if void else UNKNOWN), text)


def _white(masks: Sequence[LevelCounts], first: dict[_Sort, LevelCounts]) -> Meaning:
    if "either" in first and "smooth" not in first:
        _refuse_either(first["either"])
    total = _total(masks)
    between = {level for level, pixels in total.items() if pixels and _NEAR < level < 255 - _NEAR}
    bright = sum(pixels for level, pixels in total.items() if level >= 255 - _NEAR)
    grey = sum(total[level] for level in between)
    table = [0] * _MIDDLE + [1] * _MIDDLE
    if len(total) == 2 and 0 in total:
        level = max(total)
        return Meaning(tuple(table), f"0 background, {level} person")
    if grey > bright / 2:
        path = max(masks, key=lambda mask: sum(mask.levels[level] for level in between)).path
        _refuse_greys(path, total, between)
    _require_noise_at_both_ends(masks, total, bright)
    middle = next((level for level in _UNDECIDED if set(total) == {0, level, 255}), None)
    if middle is not None:
        table[middle] = IGNORE
        return Meaning(tuple(table), f"0 background, 255 person, {middle} a contour without label, ignored")
    smooth = "smooth" in first or "faint" in first
    return Meaning(tuple(table), f"0 background, {f'{_MIDDLE} to ' if smooth else ''}255 person")


def _require_noise_at_both_ends(masks: Sequence[LevelCounts], total: Counter[int], bright: int) -> None:
    """A level near black beside a single light one is a class number beside that for no label."""
    near_black = {level for level, pixels in total.items() if pixels and 0 < level <= _NEAR}
    near_white = any(255 - _NEAR <= level < 255 for level in total)
    if (not near_white or len(total) <= _FEW) and sum(total[level] for level in near_black) > bright / 100:
        _refuse_numbers(next(mask for mask in masks if near_black & set(mask.levels)))


def _total(masks: Sequence[LevelCounts]) -> Counter[int]:
    total: Counter[int] = Counter()
    for mask in masks:
        total.update(mask.levels)
    return total


def _levels(mask: LevelCounts) -> str:
    found = sorted(level for level, pixels in mask.levels.items() if pixels)
    if len(found) > 4:
        return f"{len(found)} levels from {found[0]} to {found[-1]}"
    return f"the levels {', '.join(map(str, found))}"


def _refuse_mixture(one: LevelCounts, other: LevelCounts) -> NoReturn:
    raise UserError(
        "masks of several conventions",
        seen=f"{one.path} with {_levels(one)}, {other.path} with {_levels(other)}",
        expected="one convention in all masks of a folder: 0 and 1 (255 unlabelled), or 0 and 255",
        remedy="convert one kind into the other",
    )


def _refuse_either(mask: LevelCounts) -> NoReturn:
    raise UserError(
        "masks", seen=f"0, 1 and 255 in {mask.path}, with 255 in more pixels than 1",
        expected="1 for the person and 255 for a contour without label, or 255 for the person",
        remedy="save the masks with 0 and 255 only",
    )  # fmt: skip


def _refuse_greys(path: Path, total: Counter[int], between: set[int]) -> NoReturn:
    some = ", ".join(map(str, sorted(between, key=lambda level: -total[level])[:3]))
    raise UserError(
        "masks", seen=f"many pixels with the grey levels {some} (compare {path})",
        expected="0 and 255, with greys at smoothed edges only",
        remedy="decide which of the levels is the person, or name the classes in classes.txt and save class numbers",
    )  # fmt: skip


def _refuse_numbers(mask: LevelCounts) -> NoReturn:
    highest = max(set(mask.levels) - {IGNORE})
    raise UserError(
        "mask", seen=f"{mask.path} with values up to {highest}", expected="0 and 1, or 0 and 255",
        remedy="name the classes, one a line, in classes.txt next to the images folder",
    )  # fmt: skip
