"""The best trial, and when it came."""

from __future__ import annotations

import numpy as np

from search.analysis.findings.finding import Finding
from search.analysis.search_log import SearchLog


def best_found(log: SearchLog) -> Finding:
    """Always found."""
    best = int(np.argmax(log.quality))
    number, last = int(log.numbers[best]), int(log.numbers[-1])
    median = float(np.median(log.quality))
    text = (
        f"{len(log):,} trials; the best has {log.quality_label} {log.quality[best]:.4g} (median {median:.4g}) and is "
        f"number {number:,}, the last one is number {last:,}."
    )
    return Finding("best", text, {"quality": float(log.quality[best]), "median": median, "number": number})
