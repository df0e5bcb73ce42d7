"""A sheet of pictures with their true masks and a model's masks, so that a person sees where the model is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foundation.class_colours import painted
from foundation.overlay import overlay
from segmentation.data.picture_rows import captioned, sheet
from segmentation.losses import IGNORE

Pixels = NDArray[np.uint8]

_WRONG: Pixels = np.array((200, 30, 30), np.uint8)
_FOREGROUND: Pixels = np.array((205, 210, 216), np.uint8)
_BACKGROUND: Pixels = np.array((255, 255, 255), np.uint8)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a model made of one picture."""

    caption: str
    picture: Pixels
    """Height x width x 3."""
    truth: Pixels
    """Class numbers, height x width."""
    predicted: Pixels


def outcome_sheet(outcomes: Sequence[Outcome], *, photographs: bool = True) -> bytes:
    """A PNG with a row for each: picture, true mask, the model's mask, and wrong pixels in red.

    Args:
        outcomes: at least one.
        photographs: False shows masks alone.
    """
    panels = "true mask, the net's mask, wrong pixels in red"
    title = f"left to right: {'picture, ' if photographs else ''}{panels}"
    return sheet(title, [captioned(one.caption, _panels(one, photographs=photographs)) for one in outcomes])


def _panels(one: Outcome, *, photographs: bool) -> list[Pixels]:
    if photographs:
        masks = [one.picture, *(overlay(one.picture, mask) for mask in (one.truth, one.predicted))]
    else:
        masks = [painted(one.truth), painted(one.predicted)]
    return [*masks, _wrong(one)]


def _wrong(one: Outcome) -> Pixels:
    """Wrong pixels on a pale picture of the true foreground; pixels without label are not wrong."""
    shown = np.where((one.truth > 0)[..., None], _FOREGROUND, _BACKGROUND)
    wrong = (one.predicted != one.truth) & (one.truth != IGNORE)
    return np.where(wrong[..., None], _WRONG, shown)
