"""Collapse: the trials become alike while the best one does not improve."""

from __future__ import annotations

import numpy as np

from search.analysis.diversity import Diversity
from search.analysis.findings.finding import Finding
from search.analysis.search_log import SearchLog
from search.analysis.windows import WINDOW

MAX_SHARE = 0.5
"""Of the first window's mean edit distance; below it, and until the end, diversity has fallen."""
MIN_AFTER = 2 * WINDOW
"""Trials after the fall; of fewer nothing can be said."""
MAX_LATE_GAIN = 0.05
"""Improvement of the best after the fall, as a share of that from the median of the first window to the end."""


def collapsed(log: SearchLog, diversity: Diversity | None) -> Finding | None:
    """Found where diversity has fallen and the best has not improved since."""
    if diversity is None:
        return None
    share = diversity.distance / max(float(diversity.distance[0]), np.finfo(float).tiny)
    high = np.flatnonzero(share > MAX_SHARE)
    fallen = int(high[-1]) + WINDOW if len(high) else 0  # trials before the first window that stays below
    if len(log) - fallen < MIN_AFTER:
        return None
    best = log.best_so_far
    gain, late = best[-1] - np.median(log.quality[:WINDOW]), best[-1] - best[fallen]
    if late > MAX_LATE_GAIN * gain:
        return None
    text = (
        f"The search collapsed: the mean edit distance in {WINDOW} trials fell from {diversity.distance[0]:.3g} to "
        f"{diversity.distance[-1]:.3g} slots. It is below half from trial {log.numbers[fallen]:,} on; since then the "
        f"best {log.quality_label} improved by {late:.2g}."
    )
    figures = {
        "distance_first": float(diversity.distance[0]),
        "distance_last": float(diversity.distance[-1]),
        "fallen_at": int(log.numbers[fallen]),
        "late_gain": float(late),
    }
    remedy = (
        "Give the strategy more exploration (a larger population, more mutation, an entropy bonus), or stop earlier."
    )
    return Finding("collapsed", text, figures, remedy)
