"""Stall: the mean quality rises, the best does not."""

from __future__ import annotations

import numpy as np

from search.analysis.findings.finding import Finding
from search.analysis.search_log import SearchLog

MIN_TRIALS = 100
MIN_RISE = 3.0
"""Of the mean from the first to the last quarter, in standard errors."""


def stalled(log: SearchLog) -> Finding | None:
    """Found where the mean rose by ``MIN_RISE`` and the best trial is one of the first half."""
    best = int(np.argmax(log.quality))
    if len(log) < MIN_TRIALS or best >= len(log) / 2:
        return None
    quarter = len(log) // 4
    first, last = log.quality[:quarter], log.quality[-quarter:]
    rise, error = last.mean() - first.mean(), np.sqrt((first.var() + last.var()) / quarter)
    if rise <= MIN_RISE * error:
        return None
    text = (
        f"The search stalled: the mean {log.quality_label} rose from {first.mean():.4g} (first quarter) to "
        f"{last.mean():.4g} (last quarter), but the best, {log.quality[best]:.4g}, is trial {log.numbers[best]:,}."
    )
    figures = {"mean_first": float(first.mean()), "mean_last": float(last.mean()), "number": int(log.numbers[best])}
    remedy = (
        "It learned to avoid bad nets, not to find better ones: search longer, or let it explore more near the best."
    )
    return Finding("stalled", text, figures, remedy)
