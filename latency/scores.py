"""How well predictions agree with measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Scores:
    """Agreement on held-out nets; percentages are 0 to 100."""

    mape_percent: float
    """Mean absolute error relative to the measurement."""
    within_5_percent: float
    """Share of nets predicted within 5 % of their measurement."""
    within_10_percent: float
    spearman: float
    """Rank correlation; 0 where it is undefined (a constant)."""

    @staticmethod
    def of(predicted_ms: Sequence[float], measured_ms: Sequence[float]) -> Scores:
        """Compares pairwise; at least one pair."""
        predicted, measured = np.asarray(predicted_ms, dtype=float), np.asarray(measured_ms, dtype=float)
        error = np.abs(predicted / measured - 1)
        return Scores(
            100 * float(error.mean()),
            100 * float((error <= 0.05).mean()),
            100 * float((error <= 0.10).mean()),
            spearman(predicted, measured),
        )


def spearman(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Pearson's correlation of the ranks, ties averaged."""
    ranks = [_ranks(values) for values in (first, second)]
    centred = [rank - rank.mean() for rank in ranks]
    norm = float(np.linalg.norm(centred[0]) * np.linalg.norm(centred[1]))
    return float(centred[0] @ centred[1]) / norm if norm > 0 else 0.0


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    average: NDArray[np.float64] = (last - (counts - 1) / 2)[inverse]
    return average
