"""How well predictions agree with measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Scores:
    """Agreement on held-out nets; percentages are 0 to 100."""

    mape_percent: float
    """Mean absolute error relative to the measurement."""
    within_5_percent: float
    """Share of nets predicted within 5 % of their measurement."""
    within_10_percent: float
    spearman: float
    """Rank correlation; 0 where it is undefined (constant predictions or measurements)."""

    @staticmethod
    def of(predicted_ms: Sequence[float], measured_ms: Sequence[float]) -> Scores:
        """Compares pairwise; at least one pair."""
        from scipy.stats import spearmanr

        predicted, measured = np.asarray(predicted_ms, dtype=float), np.asarray(measured_ms, dtype=float)
        error = np.abs(predicted / measured - 1)
        varies = np.ptp(predicted) > 0 and np.ptp(measured) > 0
        return Scores(
            100 * float(error.mean()),
            100 * float((error <= 0.05).mean()),
            100 * float((error <= 0.10).mean()),
            float(spearmanr(predicted, measured).statistic) if varies else 0.0,
        )
