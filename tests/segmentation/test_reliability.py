"""Foreground probability against the observed share."""

from __future__ import annotations

import numpy as np
import pytest

from segmentation.reliability import Reliability, expected_calibration_error


def of(probability: list[float], truth: list[int]) -> Reliability:
    found = Reliability()
    for value, label in zip(probability, truth, strict=True):
        found.update(np.full((1, 1), value, np.float32), np.full((1, 1), label, np.uint8))
    return found


def test_bins_hold_means_and_observed_shares() -> None:
    """Any class but the first is foreground; pixels without label do not count."""
    bins = of([0.22, 0.28, 0.25, 0.25, 0.81, 0.9], [0, 3, 0, 0, 1, 255]).bins()
    assert [one.pixels for one in bins] == [4, 1]
    assert bins[0].mean_probability == pytest.approx(0.25)
    assert bins[0].observed_share == pytest.approx(0.25)
    assert (bins[1].mean_probability, bins[1].observed_share) == (pytest.approx(0.81), 1)
    assert expected_calibration_error(bins) == pytest.approx(0.19 / 5)


def test_the_ends_have_a_bin() -> None:
    bins = of([0.0, 1.0, 1.0000001], [0, 1, 1]).bins()
    assert [(one.pixels, one.mean_probability, one.observed_share) for one in bins] == [(1, 0, 0), (2, 1, 1)]
    assert expected_calibration_error(bins) == 0


def test_a_probability_that_is_no_number_counts_as_0() -> None:
    (only,) = of([float("nan"), 0.0], [1, 0]).bins()
    assert (only.pixels, only.mean_probability, only.observed_share) == (2, 0, 0.5)


def test_no_pixel_is_no_bin() -> None:
    assert of([0.5], [255]).bins() == ()
    assert expected_calibration_error(()) == 0


def test_a_sure_and_wrong_model_is_off_by_everything() -> None:
    assert expected_calibration_error(of([0.0, 1.0], [1, 0]).bins()) == 1
