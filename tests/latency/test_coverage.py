"""Whether calibration covers what it says, on ratios of a real device (``benchmarks/predictor_device``).

Calibrated and tested on random halves, so the nets are exchangeable; what drift between a campaign and later nets does
to a bound stands in the same files and in ``docs/benchmarks.md``.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from latency.calibration import Calibration

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
REPETITIONS = 200


@pytest.fixture(scope="module")
def ratios() -> np.ndarray:
    """Truth / prediction of nets that their predictor had not learned from."""
    rows = [
        row for path in RESULTS.glob("predictor_device*.json") for row in json.loads(path.read_text()).get("rows", ())
    ]
    assert len(rows) >= 200
    return np.array([row["measured_ms"] / row["predicted_ms"] for row in rows])


def test_mean_coverage_of_ten_nets_near_a_budget_is_nominal(ratios: np.ndarray) -> None:
    """Whatever the other nets say, ten of the same kind cover ten in eleven at least."""
    generator = np.random.default_rng(0)
    coverages = []
    for _ in range(REPETITIONS):
        shuffled = generator.permutation(ratios)
        calibration = Calibration.of([0.5] * 20).with_near_budget(list(shuffled[:10]))
        coverages.append(calibration.coverage(list(shuffled[10:])))
    assert np.mean(coverages) == pytest.approx(10 / 11, abs=0.02)


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.2])
def test_mean_coverage_is_nominal(ratios: np.ndarray, alpha: float) -> None:
    generator = np.random.default_rng(0)
    coverages = []
    for _ in range(REPETITIONS):
        shuffled = generator.permutation(ratios)
        half = len(shuffled) // 2
        coverages.append(Calibration.of(list(shuffled[:half]), alpha=alpha).coverage(list(shuffled[half:])))
    assert np.mean(coverages) == pytest.approx(1 - alpha, abs=0.01)
