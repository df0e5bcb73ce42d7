from __future__ import annotations

import numpy as np
import pytest

from latency.scores import Scores, spearman


def test_errors_are_relative_to_the_measurement() -> None:
    scores = Scores.of([1.04, 1.08, 1.5, 1.0], [1.0, 1.0, 1.0, 1.0])
    assert scores.mape_percent == pytest.approx(15.5)
    assert scores.within_5_percent == 50
    assert scores.within_10_percent == 75


def test_spearman_agrees_with_the_textbook() -> None:
    assert spearman(np.array([1.0, 2.0, 3.0]), np.array([10.0, 200.0, 3000.0])) == pytest.approx(1.0)
    assert spearman(np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 1.0])) == pytest.approx(-1.0)
    # ranks (1, 2.5, 2.5, 4) and (1, 2, 3, 4): 4.5 / sqrt(4.5 * 5)
    assert spearman(np.array([1.0, 2.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0, 4.0])) == pytest.approx(0.9**0.5)
    assert spearman(np.ones(3), np.array([1.0, 2.0, 3.0])) == 0.0
