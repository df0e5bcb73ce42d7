"""Whether numbers lie on levels of equal spacing.

For a spacing ``d`` each number is a point on a circle of circumference ``d``; on levels, all points are close
together. How close is their mean resultant length, 1 on exact levels and near 0 for a smooth distribution that is
wider than ``d`` (Mardia and Jupp, "Directional Statistics", 2000, sections 2.3.1 and 6.3.1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from search.analysis.search_log import Matrix, Vector

MIN_TRIALS = 100
"""Of fewer numbers, chance alone reaches ``MIN_CONCENTRATION`` once in some thousand logs."""
MIN_CONCENTRATION = 0.5
"""Mean resultant length."""
MIN_PERPLEXITY = 4.0
"""So many equally filled levels, or more: numbers in one or two heaps are on no levels."""
MIN_SHARE = 0.01
"""Of the numbers; a level with fewer is not counted."""
_MAX_LEVELS = 25
_SPACINGS, _BINS = 2000, 8192
_EQUAL = 0.95
"""Of the highest concentration; among equals the widest spacing counts, because its fractions fit, too."""
_MIN_RANGE = 1e-6
"""Of the largest number; what differs by less differs by rounding."""
_ROUNDED = 2.5
"""Spacings below so many units of the last decimal are those of a rounding."""


@dataclass(frozen=True, slots=True)
class Levels:
    """Levels of equal spacing."""

    spacing: float
    concentration: float
    """Mean resultant length, 0 to 1."""
    centres: Vector
    """Where there are levels with at least ``MIN_SHARE`` of the numbers; ascending."""


def find_levels(values: Vector) -> Levels | None:
    """The levels on which the values lie; None where they lie on none."""
    if len(values) < MIN_TRIALS or np.ptp(values) <= _MIN_RANGE * np.abs(values).max():
        return None
    spacings = (values.max() - values.min()) / np.linspace(3, _MAX_LEVELS, _SPACINGS)
    spacings = spacings[spacings > _ROUNDED * _resolution(values)]
    strengths = _concentrations(values, spacings)
    strong = np.flatnonzero(strengths >= MIN_CONCENTRATION).tolist()
    possible = [i for i in strong if _perplexity(values, spacings[i]) >= MIN_PERPLEXITY]
    if not possible:
        return None
    best = _widest_peak(strengths, possible)
    levels, counts = np.unique(_level_of(values, spacings[best]), return_counts=True)
    filled = levels[counts >= MIN_SHARE * len(values)]
    offset = _offset(values, spacings[best])
    return Levels(float(spacings[best]), float(strengths[best]), offset + filled * spacings[best])


def _widest_peak(strengths: Vector, possible: list[int]) -> int:
    """Of the peaks that are about as high as the highest, the one of the widest spacing; spacings descend."""
    high = [i for i in possible if strengths[i] >= _EQUAL * strengths[possible].max()]
    run = [i for position, i in enumerate(high) if i - high[0] == position]
    return max(run, key=lambda i: float(strengths[i]))


def _concentrations(values: Vector, spacings: Vector) -> Vector:
    """Mean resultant length for each spacing; of many values those of a fine histogram."""
    counts, edges = np.histogram(values, bins=min(_BINS, 16 * len(values)))
    filled = np.flatnonzero(counts)
    centres, shares = (edges[filled] + edges[filled + 1]) / 2, counts[filled] / len(values)
    return np.array([abs(_turns(centres, spacing) @ shares) for spacing in spacings])


def _turns(values: Vector, spacing: float) -> Matrix:
    return np.asarray(np.exp(2j * np.pi * values / spacing))


def _offset(values: Vector, spacing: float) -> float:
    return float(np.angle(_turns(values, spacing).mean()) / (2 * np.pi) * spacing)


def _level_of(values: Vector, spacing: float) -> Vector:
    return np.asarray(np.round((values - _offset(values, spacing)) / spacing))


def _perplexity(values: Vector, spacing: float) -> float:
    """Exponential of the entropy of the levels: of equally filled ones their number."""
    shares = np.unique(_level_of(values, spacing), return_counts=True)[1] / len(values)
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _resolution(values: Vector) -> float:
    """The largest power of ten of which all values are multiples, up to the size of the values; else 0."""
    for power in range(int(np.floor(np.log10(np.abs(values).max()))), -1, -1):
        if np.allclose(values / 10.0**power, np.round(values / 10.0**power), rtol=0, atol=1e-6):
            return float(10.0**power)
    return 0.0
