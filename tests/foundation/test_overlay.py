"""Masks laid over pictures: colours inside, contours along the edges, the background as it was."""

from __future__ import annotations

import numpy as np
import pytest

from foundation.class_colours import COLOURS
from foundation.overlay import overlay

GREY = 101


def laid_over(mask: np.ndarray) -> np.ndarray:
    return overlay(np.full((*mask.shape, 3), GREY, np.uint8), mask)


def test_two_classes_have_their_colours_and_contours() -> None:
    mask = np.zeros((40, 60), np.uint8)
    mask[10:30, 10:30], mask[10:30, 30:50] = 1, 2
    found = laid_over(mask)
    assert np.array_equal(found[mask == 0], np.full((int((mask == 0).sum()), 3), GREY))
    assert found[20, 20].tolist() == ((GREY + COLOURS[1].astype(int)) // 2).tolist()
    assert found[20, 40].tolist() == ((GREY + COLOURS[2].astype(int)) // 2).tolist()
    for row, column in ((10, 20), (29, 20), (20, 10), (20, 29)):
        assert found[row, column].tolist() == COLOURS[1].tolist()
    for row, column in ((10, 40), (20, 30), (20, 49)):
        assert found[row, column].tolist() == COLOURS[2].tolist()


@pytest.mark.parametrize(("side", "width"), [(300, 1), (1200, 4)])
def test_contours_of_large_pictures_are_wider(side: int, width: int) -> None:
    mask = np.zeros((side, 8), np.uint8)
    mask[side // 2 :] = 1
    column = laid_over(mask)[side // 2 :, 4]
    assert int((column == COLOURS[1]).all(1).sum()) == width


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1)])
def test_pictures_of_one_row_or_column(shape: tuple[int, int]) -> None:
    mask = np.zeros(shape, np.uint8)
    mask[-1, -1] = 1
    assert laid_over(mask).shape == (*shape, 3)
    assert (laid_over(np.zeros(shape, np.uint8)) == GREY).all()
