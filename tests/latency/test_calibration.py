from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.errors import UserError
from latency.calibration import UNSEEN_WIDENING, Calibration

RATIOS = st.lists(st.floats(0.5, 2.0), min_size=1, max_size=200)


def test_the_quantile_is_the_finite_sample_one() -> None:
    ratios = [1 + index / 100 for index in range(1, 20)]  # n = 19, alpha = .1: rank ceil(20 * .9) = 18
    calibration = Calibration.of(ratios, alpha=0.1)
    assert calibration.exact
    assert calibration.factor == pytest.approx(1.18)


def test_too_few_nets_fall_back_to_the_largest_and_say_so() -> None:
    calibration = Calibration.of([1.2, 0.9, 1.1], alpha=0.1)
    assert not calibration.exact
    assert calibration.factor == pytest.approx(1.2)
    assert "largest ratio of 3" in calibration.statement
    assert "the 9 that 90 % needs" in calibration.statement
    assert Calibration.of([1.0] * 9).exact


def test_coverage_on_fresh_nets_is_nominal_on_average() -> None:
    generator = np.random.default_rng(0)
    draws = np.exp(generator.normal(0.0, 0.05, (400, 260)))
    coverages = [Calibration.of(list(draw[:60]), alpha=0.1).coverage(list(draw[60:])) for draw in draws]
    assert 0.9 <= np.mean(coverages) < 0.92  # the exact expectation is 55 / 61 = .902


def test_a_predictor_that_is_too_high_never_bounds_below_its_prediction() -> None:
    assert Calibration.of([0.5] * 30).factor == 1.0


def test_unseen_operators_widen_the_bound() -> None:
    calibration = Calibration.of([1.0] * 30)
    assert calibration.upper_ms(4.0, 1.0) == pytest.approx(4.0 + UNSEEN_WIDENING)
    assert calibration.upper_ms(4.0) == pytest.approx(4.0)


def test_fed_back_winners_raise_the_bound_and_never_lower_it() -> None:
    calibration = Calibration.of([1.05] * 30)
    assert calibration.recalibrated([1.2]).factor == pytest.approx(1.2)
    assert calibration.recalibrated([0.9]).factor == pytest.approx(1.05)
    twice = calibration.recalibrated([1.2]).recalibrated([1.01])
    assert twice.fed_back == (1.2, 1.01)


@given(RATIOS, RATIOS, st.sampled_from([0.05, 0.1, 0.2]))
def test_feeding_back_only_tightens_and_json_keeps_it(first: list[float], second: list[float], alpha: float) -> None:
    before = Calibration.of(first, alpha=alpha)
    after = before.recalibrated(second)
    assert after.factor >= before.factor
    assert Calibration.from_json(json.loads(json.dumps(after.to_json()))) == after


@pytest.mark.parametrize("ratios", [[], [0.0], [float("nan")], [float("inf")], [-1.0]])
def test_impossible_ratios_are_refused(ratios: list[float]) -> None:
    with pytest.raises(UserError, match="calibration ratios"):
        Calibration.of(ratios)


def test_impossible_alpha_is_refused() -> None:
    with pytest.raises(UserError, match="alpha"):
        Calibration.of([1.0], alpha=1.0)
