from __future__ import annotations

import pytest

from latency.scores import Scores


def test_errors_are_relative_to_the_measurement() -> None:
    scores = Scores.of([1.04, 1.08, 1.5, 1.0], [1.0, 1.0, 1.0, 1.0])
    assert scores.mape_percent == pytest.approx(15.5)
    assert scores.within_5_percent == 50
    assert scores.within_10_percent == 75


def test_spearman_is_a_rank_correlation_and_zero_for_constants() -> None:
    assert Scores.of([1.0, 2.0, 3.0], [10.0, 200.0, 3000.0]).spearman == pytest.approx(1.0)
    # ranks (1, 2.5, 2.5, 4) and (1, 2, 3, 4): 4.5 / sqrt(4.5 * 5)
    assert Scores.of([1.0, 2.0, 2.0, 3.0], [1.0, 2.0, 3.0, 4.0]).spearman == pytest.approx(0.9**0.5)
    assert Scores.of([1.0] * 3, [1.0, 2.0, 3.0]).spearman == 0.0
    assert Scores.of([1.0, 2.0, 3.0], [1.0] * 3).spearman == 0.0
