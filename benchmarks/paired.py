"""Whether one strategy of a benchmark gains over another beyond chance, from their results with the same seeds."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np
from scipy.stats import t


def paired_difference(values: Sequence[float], others: Sequence[float]) -> dict[str, Any]:
    """Mean of ``values - others``, and its 95 % interval by Student's t over the pairs; at least two pairs."""
    differences = np.subtract(values, others)
    mean, count = float(differences.mean()), len(differences)
    half = float(t.ppf(0.975, count - 1) * differences.std(ddof=1)) / sqrt(count)
    return {"difference": round(mean, 6), "interval": [round(mean - half, 6), round(mean + half, 6)]}


def beyond_chance(found: dict[str, Any]) -> bool:
    """Whether the whole interval of a difference is above 0."""
    return bool(found["interval"][0] > 0)
