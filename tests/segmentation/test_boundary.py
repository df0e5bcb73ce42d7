"""The boundary F-score, on outlines whose scores can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from segmentation.boundary import boundary_f1


def halves(column: int, side: int = 20) -> NDArray[np.uint8]:
    """Class 1 from a column on."""
    mask = np.zeros((side, side), np.uint8)
    mask[:, column:] = 1
    return mask


@pytest.mark.parametrize(("shift", "expected"), [(0, 1.0), (1, 1.0), (2, 1.0), (3, 0.0), (5, 0.0)])
def test_outlines_agree_up_to_two_pixels(shift: int, expected: float) -> None:
    assert boundary_f1(halves(10 + shift), halves(10), 2) == expected
    assert boundary_f1(halves(10 - shift), halves(10), 2) == expected


def test_the_distance_is_that_of_a_circle() -> None:
    mask, other = np.zeros((9, 9), np.uint8), np.zeros((9, 9), np.uint8)
    mask[4, 4] = 1
    other[6, 6] = 1  # 2.8 pixels away; of the background's outlines the pixel between them is in both discs
    score = boundary_f1(other, mask, 2)
    assert score is not None
    assert score < 0.5
    assert boundary_f1(np.roll(mask, 2, 0), mask, 2) == pytest.approx(1)


def test_precision_and_recall() -> None:
    truth = halves(10)
    predicted = halves(10)
    predicted[:, :2] = 1  # one more outline, of 20 pixels, between columns 1 and 2
    precision, recall = 0.5, 1.0
    assert boundary_f1(predicted, truth, 2) == pytest.approx(2 * precision * recall / (precision + recall))
    assert boundary_f1(truth, predicted, 2) == pytest.approx(2 * precision * recall / (precision + recall))


def test_what_has_no_label_has_no_outline() -> None:
    truth = halves(10)
    predicted = halves(10)
    predicted[:, :5] = 1
    truth[:, :8] = 255
    assert boundary_f1(predicted, truth, 2) == 1
    truth[:] = 255
    assert boundary_f1(predicted, truth, 2) is None


def test_masks_without_an_outline() -> None:
    empty = np.zeros((8, 8), np.uint8)
    assert boundary_f1(empty, empty, 2) is None
    assert boundary_f1(halves(4, 8), empty, 2) == 0
    assert boundary_f1(empty, halves(4, 8), 2) == 0


def test_classes_without_an_outline_do_not_count() -> None:
    assert boundary_f1(halves(11), halves(10), 19) == 1
    other = halves(11)
    other[other == 1] = 7
    assert boundary_f1(other, halves(10), 19) == pytest.approx(1 / 3), "only the background's outline agrees"
