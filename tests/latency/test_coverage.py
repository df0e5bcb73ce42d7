"""Whether the coverage of bounds is nominal.

The quantile on ratios of a real device (``benchmarks/predictor_device``): calibrated and tested on random parts, so the
nets are exchangeable; what drift between a campaign and later nets does to a bound stands in the same files and in
``docs/benchmarks.md``. And nets that both train and calibrate, as in ``fit``, on an invented law;
``benchmarks/coverage.py`` does that on a real device.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from latency.calibration import Calibration
from latency.predictors.arbitration import ArbitratedPredictor
from latency.predictors.attention.predictor import AttentionPredictor
from latency.predictors.attention.training import TrainingSettings
from latseg.testing.synthetic import measured, random_graphs

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
REPETITIONS = 200
NETS = 39
"""That calibrate: with few of them a rank that is wrong by one moves the coverage by .025."""


@pytest.fixture(scope="module")
def ratios() -> np.ndarray:
    """Truth / prediction of nets that their predictor had not learned from."""
    rows = [
        row for path in RESULTS.glob("predictor_device*.json") for row in json.loads(path.read_text()).get("rows", ())
    ]
    assert len(rows) >= 200
    return np.array([row["measured_ms"] / row["predicted_ms"] for row in rows])


def test_mean_coverage_of_ten_nets_near_a_budget_is_nominal(ratios: np.ndarray) -> None:
    """Whatever the calibration on other nets, ten nets near a budget cover ten in eleven of their kind."""
    generator = np.random.default_rng(0)
    coverages = []
    for _ in range(10 * REPETITIONS):  # a draw of ten nets has a large variance
        shuffled = generator.permutation(ratios)
        calibration = Calibration.of([0.5] * 20).with_near_budget(list(shuffled[:10]))
        coverages.append(calibration.coverage(list(shuffled[10:])))
    assert np.mean(coverages) == pytest.approx(10 / 11, abs=0.01)


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.2])
def test_mean_coverage_is_nominal(ratios: np.ndarray, alpha: float) -> None:
    generator = np.random.default_rng(0)
    coverages = []
    for _ in range(REPETITIONS):
        shuffled = generator.permutation(ratios)
        coverages.append(Calibration.of(list(shuffled[:NETS]), alpha=alpha).coverage(list(shuffled[NETS:])))
    assert np.mean(coverages) == pytest.approx(1 - alpha, abs=0.01)


def test_nets_that_train_and_calibrate_cover_fresh_ones() -> None:
    """Each is predicted by parts that were trained without it; with training errors the coverage is .6 here."""
    coverages = []
    for draw in range(4):
        known = measured(random_graphs(60, draw), noise=0.05, seed=draw)
        fresh = measured(random_graphs(150, 1000 + draw), noise=0.05, seed=1000 + draw)
        predictor = ArbitratedPredictor(AttentionPredictor(TrainingSettings(steps=10), members=2))
        predictor.fit(known, seed=draw)
        calibration = Calibration.of(list(predictor.out_of_fold.values()))
        predictions = predictor.predict([sample.graph for sample in fresh])
        coverages.append(
            calibration.coverage([s.latency_ms / one.latency_ms for s, one in zip(fresh, predictions, strict=True)])
        )
    assert np.mean(coverages) == pytest.approx(0.9, abs=0.05)
