from __future__ import annotations

import numpy as np
import pytest

from devices.output_comparison import OutputComparison, compare_outputs

ONES = np.ones((2, 3), np.float32)


def test_equal_outputs() -> None:
    assert compare_outputs([ONES], [ONES]) == OutputComparison(0.0, 0.0)
    assert compare_outputs([], []) == OutputComparison(0.0, 0.0)
    assert compare_outputs([ONES[:0]], [ONES[:0]]) == OutputComparison(0.0, 0.0)


def test_the_worst_output_counts() -> None:
    other = ONES.copy()
    other[0, 0] += 0.5
    found = compare_outputs([ONES, ONES], [other, ONES])
    assert (found.max_abs, found.unequal, found.fault) == (0.5, pytest.approx(1 / 6), "")


def test_nan_in_the_same_places_is_equal() -> None:
    array = np.array([np.nan, np.inf, 1.0])
    assert compare_outputs([array], [array]) == OutputComparison(0.0, 0.0)


@pytest.mark.parametrize(
    ("answers", "fault"),
    [
        ([], "0 outputs instead of 1"),
        ([np.ones((3, 2), np.float32)], "an output of the shape 3x2 instead of 2x3"),
        ([np.float32(1)], "an output of the shape scalar instead of 2x3"),
        ([np.full((2, 3), np.nan, np.float32)], "6 of 6 numbers of an output as NaN or infinity instead of 0"),
        ([np.where(np.eye(2, 3), np.inf, 1.0)], "2 of 6 numbers of an output as NaN or infinity instead of 0"),
    ],
)
def test_what_no_rounding_explains(answers: list[np.ndarray], fault: str) -> None:
    assert compare_outputs([ONES], answers) == OutputComparison(0.0, 1.0, fault)


def test_small_outputs_are_compared_by_their_size() -> None:
    """Of a softmax over many classes, all numbers are small."""
    expected = np.linspace(1e-4, 2e-3, 50, dtype=np.float32)
    assert compare_outputs([expected], [expected[::-1]]).unequal > 0.9
    assert compare_outputs([expected], [expected * np.float32(1 + 1e-5)]).unequal == 0
    assert compare_outputs([ONES * 0], [ONES * np.float32(1e-9)]).unequal == 0
