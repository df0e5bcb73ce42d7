"""The sheet shows where a model is wrong."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from segmentation.outcome_sheet import _WRONG, Outcome, outcome_sheet

SIDE = 240
PICTURE = np.array([90, 140, 33], np.uint8)


def outcome(wrong_columns: int) -> Outcome:
    truth = np.zeros((SIDE, SIDE), np.uint8)
    truth[:, :100] = 1
    truth[:, 200:] = 255
    predicted = truth.copy()
    predicted[:, 100 : 100 + wrong_columns] = 1
    picture = np.zeros((SIDE, SIDE, 3), np.uint8) + PICTURE
    return Outcome("worst: portrait 3", picture, truth, predicted)


def pixels(*outcomes: Outcome, photographs: bool) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(outcome_sheet(outcomes, photographs=photographs))).convert("RGB"))


@pytest.mark.parametrize("photographs", [True, False])
@pytest.mark.parametrize("wrong_columns", [0, 30])
def test_wrong_pixels_are_red_and_unlabelled_ones_are_not(wrong_columns: int, photographs: bool) -> None:
    red = (pixels(outcome(wrong_columns), photographs=photographs) == _WRONG).all(2)
    assert int(red.sum()) == wrong_columns * SIDE


def test_without_photographs_no_pixel_of_the_picture_is_shown() -> None:
    for photographs in (True, False):
        shown = (pixels(outcome(0), photographs=photographs) == PICTURE).all(2)
        assert int(shown.sum()) == (SIDE * (SIDE + 2 * 100) if photographs else 0)


def test_each_outcome_has_a_row() -> None:
    one, three = (pixels(*[outcome(1)] * count, photographs=True) for count in (1, 3))
    assert three.shape[0] - one.shape[0] > 2 * SIDE
