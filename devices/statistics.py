"""Statistics of block times."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

CONFIDENCE_PERCENT = 95.0


def bootstrap_median_interval(
    values: Sequence[float], *, resamples: int, random: np.random.Generator
) -> tuple[float, float]:
    """95 % interval of the median by the percentile bootstrap (Efron, 1979).

    Each resample draws as many values as there are, with replacement; the limits of the interval are the 2.5th and
    the 97.5th percentile of the resamples' medians.
    """
    array = np.asarray(values, np.float64)
    drawn = array[random.integers(0, array.size, (resamples, array.size))]
    tail = (100 - CONFIDENCE_PERCENT) / 2
    low, high = np.percentile(np.median(drawn, axis=1), [tail, 100 - tail])
    return float(low), float(high)


def half_width_percent(estimate: float, interval: tuple[float, float]) -> float:
    """Half of the interval's width as a share of the estimate."""
    return 50 * (interval[1] - interval[0]) / estimate


def spread_percent(values: Sequence[float]) -> float:
    """Coefficient of variation: sample standard deviation over mean, in percent."""
    array = np.asarray(values, np.float64)
    return float(100 * array.std(ddof=1) / array.mean()) if array.size > 1 else 0.0


def interquartile_mean(values: Sequence[float]) -> float:
    """Mean of the middle half: as robust as the median, but not as coarse where the values are whole microseconds."""
    array = np.sort(np.asarray(values, np.float64))
    cut = array.size // 4
    return float(array[cut : array.size - cut].mean())
