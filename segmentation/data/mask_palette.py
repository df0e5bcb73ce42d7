"""Whether palette indices, grey levels or two colours tell the classes of a folder's masks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NoReturn

from foundation.errors import UserError
from segmentation.data.mask_counts import MaskCounts
from segmentation.losses import IGNORE

Reading = Literal["index", "grey", "tint"]
"""Palette indices; the palette's grey levels; black is 0 and the one other colour 255."""

BLACK, WHITE = 0, 0xFFFFFF


def two_class_reading(masks: Sequence[MaskCounts]) -> Reading:
    """How colours of masks of background and person are read; grey files are the same in each way.

    Black is the background. Indices 0, 1 and 255 count where 0 has the darker colour; else greys count as such; else
    there must be one colour beside black.

    Raises:
        UserError: colours of which none is known to be the person.
    """
    palettes = [mask for mask in masks if mask.kind == "palette"]
    coloured = [mask for mask in masks if mask.kind == "colour"]
    found = _places(palettes)
    colours = {colour for _, colour in found}
    if not coloured and colours <= {BLACK, WHITE}:
        return "grey"
    if not coloured and _dark_zero(found):
        return "index"
    if not coloured and all(is_grey(colour) for colour in colours):
        return "grey"
    everything = colours.union(*(mask.colours for mask in coloured))
    greys_black = all(not mask.values.any() for mask in masks if mask.kind in ("grey", "bits"))
    if len(everything) == 2 and BLACK in everything and greys_black and not any(mask.lossy for mask in coloured):
        return "tint"
    raise _unknown_colours(coloured, palettes, found)


def _unknown_colours(
    coloured: Sequence[MaskCounts], palettes: Sequence[MaskCounts], found: dict[tuple[int, int], Path]
) -> UserError:
    highest = max((place for place in found if place[0] != IGNORE), default=(0, 0))
    if not coloured and highest[0] > 1:
        return UserError(
            "palette of the masks", seen=f"{found[highest]} with indices up to {highest[0]}",
            expected=f"indices 0 and 1 (and {IGNORE} without label), or black and one other colour",
            remedy="name the classes, one a line, in classes.txt next to the images folder",
        )  # fmt: skip
    first = next(mask for mask in (*coloured, *palettes) if not all(is_grey(colour) for colour in mask.colours))
    return colour_error(first.path)


def class_number_reading(masks: Sequence[MaskCounts], classes: int) -> Reading:
    """How palette files of class numbers are read: by index, or by grey level where those are the class numbers.

    Raises:
        UserError: in colour without a palette, palettes that differ, or a background that is not the black index.
    """
    coloured = next((mask for mask in masks if mask.kind == "colour"), None)
    if coloured is not None:
        raise colour_error(coloured.path)
    found = _places([mask for mask in masks if mask.kind == "palette"])
    numbers = {*range(classes), IGNORE}
    if all(is_grey(colour) and colour & IGNORE in numbers for _, colour in found):
        return "grey"
    by_index: dict[int, int] = {}
    for (index, colour), path in found.items():
        if by_index.setdefault(index, colour) != colour:
            _refuse_palettes(found[index, by_index[index]], path, index)
    black = next((index for index, colour in by_index.items() if colour == BLACK and index not in (0, IGNORE)), None)
    if black is not None and by_index.get(0, BLACK) != BLACK:
        raise UserError(
            "palette of the masks", seen=f"black at index {black} and #{by_index[0]:06x} at index 0 in "
            f"{found[0, by_index[0]]}", expected="the background at index 0, in black",
            remedy="save the class numbers as grey PNGs",
        )  # fmt: skip
    return "index"


def is_grey(colour: int) -> bool:
    """Whether red, green and blue of ``0xRRGGBB`` are equal."""
    return colour == (colour & 255) * 0x010101


def colour_error(path: Path) -> UserError:
    """The error of a mask whose colours name no class."""
    return UserError(
        "mask", seen=f"{path} in colour",
        expected="one channel, or a palette, of class numbers or of 0 and 255, or black and one other colour",
        remedy="save the mask as a grey or palette PNG",
    )  # fmt: skip


def _places(palettes: Sequence[MaskCounts]) -> dict[tuple[int, int], Path]:
    """The pairs (index, colour) that occur, each with the first file that has it."""
    found: dict[tuple[int, int], Path] = {}
    for mask in palettes:
        assert mask.palette is not None
        for index in mask.values.tolist():
            found.setdefault((index, int(mask.palette[index])), mask.path)
    return found


def _dark_zero(found: dict[tuple[int, int], Path]) -> bool:
    """Whether the indices are 0, 1 and 255, each of one colour, with 0 darker than 1 (or than 255)."""
    colours = dict(found)
    light = {index: _light(colour) for index, colour in colours}
    if len(light) < len(colours) or not set(light) <= {0, 1, IGNORE}:
        return False
    return 0 not in light or len(light) == 1 or light[0] < light[min(set(light) - {0})]


def _light(colour: int) -> int:
    return 299 * (colour >> 16) + 587 * (colour >> 8 & 255) + 114 * (colour & 255)


def _refuse_palettes(first: Path, second: Path, index: int) -> NoReturn:
    raise UserError(
        "palettes of the masks", seen=f"index {index} in different colours in {first} and {second}",
        expected="one palette for all masks", remedy="save the class numbers as grey PNGs",
    )  # fmt: skip
