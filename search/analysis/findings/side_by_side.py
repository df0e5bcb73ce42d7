"""What each of several strategies side by side has proposed."""

from __future__ import annotations

import numpy as np

from search.analysis.findings.finding import Finding
from search.analysis.search_log import SearchLog


def side_by_side(log: SearchLog) -> Finding | None:
    """None where one strategy proposed all trials."""
    best = {name: float(log.quality[mine].max()) for name, mine in log.by_strategy().items()}
    if len(best) < 2:
        return None
    ordered = sorted(best, key=lambda name: -best[name])
    medians = {name: float(np.median(log.quality[mine])) for name, mine in log.by_strategy().items()}
    each = ", ".join(f"{name} {best[name]:.4g} (median {medians[name]:.4g})" for name in ordered)
    text = f"Best {log.quality_label} by the strategy that proposed it, one search each: {each}."
    return Finding("side-by-side", text, best)
