from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.errors import UserError
from latency.calibration import FOREIGN_WIDENING, ISOLATED_WIDENING, UNSEEN_WIDENING, Calibration, widening_ms

RATIOS = st.lists(st.floats(0.5, 2.0), min_size=1, max_size=200)


def test_the_quantile_is_the_finite_sample_one() -> None:
    ratios = [1 + index / 100 for index in range(1, 20)]  # n = 19, alpha = .1: rank ceil(20 * .9) = 18
    calibration = Calibration.of(ratios, alpha=0.1)
    assert calibration.held_out.exact
    assert calibration.factor == pytest.approx(1.18)


def test_too_few_nets_fall_back_to_the_largest_and_say_so() -> None:
    calibration = Calibration.of([1.2, 0.9, 1.1], alpha=0.1)
    assert not calibration.held_out.exact
    assert calibration.factor == pytest.approx(1.2)
    assert "largest ratio of 3" in calibration.statement
    assert "the 9 that 90 % needs" in calibration.statement
    assert Calibration.of([1.0] * 9).held_out.exact


def test_coverage_on_fresh_nets_is_nominal_on_average() -> None:
    generator = np.random.default_rng(0)
    draws = np.exp(generator.normal(0.0, 0.05, (400, 260)))
    coverages = [Calibration.of(list(draw[:60]), alpha=0.1).coverage(list(draw[60:])) for draw in draws]
    assert 0.9 <= np.mean(coverages) < 0.92  # the exact expectation is 55 / 61 = .902


def test_a_predictor_that_is_too_high_never_bounds_below_its_prediction() -> None:
    assert Calibration.of([0.5] * 30).factor == 1.0


def test_unseen_operators_widen_the_bound() -> None:
    calibration = Calibration.of([1.0] * 30)
    assert calibration.upper_ms(4.0, widening_ms(1.0, 0.0, 0.0)) == pytest.approx(4.0 + UNSEEN_WIDENING)
    assert calibration.upper_ms(4.0) == pytest.approx(4.0)
    both = widening_ms(1.0, 2.0, 0.0)
    assert calibration.upper_ms(4.0, both) == pytest.approx(4.0 + UNSEEN_WIDENING + 2 * ISOLATED_WIDENING)
    assert 0 < FOREIGN_WIDENING < ISOLATED_WIDENING < UNSEEN_WIDENING


def test_the_other_operators_of_a_foreign_net_widen_the_bound_a_little() -> None:
    assert widening_ms(0.0, 0.0, 8.0) == 0
    for unknown in ((1.0, 0.0), (0.0, 1.0)):
        assert widening_ms(*unknown, 8.0) == pytest.approx(widening_ms(*unknown, 0.0) + 8 * FOREIGN_WIDENING)


def test_the_factor_multiplies_the_prediction() -> None:
    assert Calibration.of([1.25] * 30).upper_ms(4.0) == pytest.approx(5.0)


def test_the_factor_itself_is_covered() -> None:
    assert Calibration.of([1.25] * 30).coverage([1.25, 1.26]) == 0.5


def test_further_ratios_are_kept_at_the_same_level() -> None:
    calibration = Calibration.of([1.05] * 30, alpha=0.2)
    assert calibration.recalibrated([1.2]).alpha == calibration.with_near_budget([1.2]).alpha == 0.2


def test_few_nets_fed_back_raise_the_bound_and_never_lower_it() -> None:
    calibration = Calibration.of([1.05] * 30)
    assert calibration.recalibrated([1.2]).factor == pytest.approx(1.2)
    assert calibration.recalibrated([0.9]).factor == pytest.approx(1.05)
    twice = calibration.recalibrated([1.2]).recalibrated([1.01])
    assert twice.fed_back == (1.2, 1.01)
    assert calibration.recalibrated([0.9] * 8).factor == pytest.approx(1.05), "90 % needs nine"


def test_the_bound_is_the_quantile_of_the_nets_fed_back_once_they_are_enough() -> None:
    calibration = Calibration.of([1.05] * 30).with_near_budget([1.02] * 10)
    assert calibration.recalibrated([0.9] * 8 + [0.95]).factor == pytest.approx(0.95), "below the prediction, too"
    assert calibration.recalibrated([0.9] * 8 + [0.95]).statement == (
        "bound calibrated on 9 measured candidates of the search at 90 %: 0.950 times the prediction"
    )
    assert "held-out" in calibration.recalibrated([0.9] * 8).statement
    assert calibration.recalibrated([0.9] * 17 + [0.95, 1.1]).factor == pytest.approx(0.95), "18th of 19"
    assert calibration.recalibrated([0.9] * 9).recalibrated([1.1]).factor == pytest.approx(1.1)
    stricter = Calibration.of([1.05] * 30, alpha=0.05)
    assert stricter.recalibrated([0.9] * 18).factor == pytest.approx(1.05), "95 % needs nineteen"


def test_nets_fed_back_cover_nets_of_the_same_search_where_random_ones_do_not() -> None:
    """Random nets are predicted right; a search prefers nets predicted 3 % too low."""
    generator = np.random.default_rng(2)
    random_nets = Calibration.of(list(np.exp(generator.normal(0.0, 0.02, 300))))
    random_nets = random_nets.with_near_budget(list(np.exp(generator.normal(0.0, 0.02, 10))))
    preferred = np.exp(generator.normal(0.03, 0.015, (600, 109)))
    assert np.mean([random_nets.coverage(list(draw)) for draw in preferred]) < 0.6
    covered = [random_nets.recalibrated(list(draw[:9])).coverage(list(draw[9:])) for draw in preferred]
    assert np.mean(covered) == pytest.approx(0.9, abs=0.01)


def test_nets_near_the_budget_raise_the_bound() -> None:
    calibration = Calibration.of([1.05] * 30)
    wider = calibration.with_near_budget([1.0] * 9 + [1.2])
    assert wider.factor == pytest.approx(1.2)
    assert wider.recalibrated([1.3]).factor == pytest.approx(1.3)
    assert (wider.ratios, wider.fed_back) == (calibration.ratios, ())
    with pytest.raises(UserError, match="calibration ratios"):
        calibration.with_near_budget([])


def test_where_predictions_are_too_high_the_bound_moves_with_them() -> None:
    calibration = Calibration.of([1.0] * 24 + [1.1] * 6)
    assert calibration.factor == pytest.approx(1.1)
    moved = calibration.with_near_budget([0.96] * 9 + [0.97])
    assert moved.factor == pytest.approx(1.1 * 0.96)
    assert moved.statement.endswith(
        "near the budget at 90 %, for nets like those, of which predictions are 4.2 % too high"
    )
    assert calibration.with_near_budget([0.96] * 9 + [1.08]).factor == pytest.approx(1.08), "not below their own"
    assert calibration.with_near_budget([0.96] * 8).factor == pytest.approx(1.1), "too few to tell"
    assert calibration.with_near_budget([1.04] * 10).factor == pytest.approx(1.1), (
        "too low is the business of their own"
    )
    assert calibration.with_near_budget([0.5] * 10).factor == 1.0


def test_a_bound_that_moves_covers_as_many_nets_near_the_budget() -> None:
    generator = np.random.default_rng(1)
    everywhere = list(np.exp(generator.normal(0.0, 0.03, 300)))
    near = np.exp(generator.normal(-0.04, 0.02, (600, 210)))
    moved = [Calibration.of(everywhere).with_near_budget(list(draw[:10])) for draw in near]
    covered = [one.coverage(list(draw[10:])) for one, draw in zip(moved, near, strict=True)]
    assert np.mean(covered) >= 10 / 11 - 0.01
    assert np.mean([one.factor for one in moved]) < Calibration.of(everywhere).factor - 0.02


def test_nets_near_the_budget_are_not_pooled_with_the_others() -> None:
    """Ten nets in which the predictor is off would vanish among a thousand."""
    assert Calibration.of([1.0] * 1000).with_near_budget([1.3] * 10).factor == pytest.approx(1.3)


def test_the_quantile_near_the_budget_is_the_finite_sample_one() -> None:
    ratios = [1 + index / 100 for index in range(1, 20)]
    calibration = Calibration.of([1.0] * 30).with_near_budget(ratios)
    assert calibration.factor == pytest.approx(1.18)
    assert calibration.statement.endswith("and on 19 random nets near the budget at 90 %, for nets like those")


def test_too_few_nets_near_the_budget_give_their_largest_ratio_and_say_so() -> None:
    calibration = Calibration.of([1.0] * 30).with_near_budget([1.0, 1.1, 1.02])
    assert calibration.factor == pytest.approx(1.1)
    assert calibration.near is not None
    assert not calibration.near.exact
    assert calibration.held_out.exact, "that of the nets held out is another matter"
    assert "largest ratio of 3 random nets near the budget: fewer than the 9" in calibration.statement
    assert "probability 0.75 for nets like those" in calibration.statement


def test_coverage_near_the_budget_is_nominal_where_the_rest_of_the_space_misleads() -> None:
    generator = np.random.default_rng(0)
    everywhere = list(np.exp(generator.normal(0.0, 0.02, 200)))
    near = np.exp(generator.normal(0.1, 0.05, (600, 210)))
    blind = Calibration.of(everywhere)
    assert np.mean([blind.coverage(list(draw)) for draw in near]) < 0.2
    coverages = [blind.with_near_budget(list(draw[:10])).coverage(list(draw[10:])) for draw in near]
    assert np.mean(coverages) == pytest.approx(10 / 11, abs=0.01)  # Beta(10, 1)
    assert np.percentile(coverages, 5) == pytest.approx(0.74, abs=0.04)


def test_a_calibration_from_before_there_were_nets_near_a_budget_is_read() -> None:
    document = Calibration.of([1.05] * 30).recalibrated([1.2]).to_json()
    del document["near_budget"]
    assert Calibration.from_json(document) == Calibration.of([1.05] * 30).recalibrated([1.2])


@given(RATIOS, RATIOS, st.sampled_from([0.05, 0.1, 0.2]))
def test_feeding_back_few_only_widens_and_json_keeps_it(first: list[float], second: list[float], alpha: float) -> None:
    before = Calibration.of(first, alpha=alpha)
    few = second[: before.held_out.needed - 1]
    once = before.recalibrated(few)
    after = once.with_near_budget(first)
    assert once.factor >= before.factor
    assert after.factor >= max(1.0, *few), "of those fed back the largest counts"
    assert Calibration.from_json(json.loads(json.dumps(after.to_json()))) == after


@pytest.mark.parametrize("ratios", [[], [0.0], [float("nan")], [float("inf")], [-1.0]])
def test_impossible_ratios_are_refused(ratios: list[float]) -> None:
    with pytest.raises(UserError, match="calibration ratios"):
        Calibration.of(ratios)


def test_impossible_alpha_is_refused() -> None:
    with pytest.raises(UserError, match="alpha"):
        Calibration.of([1.0], alpha=1.0)
