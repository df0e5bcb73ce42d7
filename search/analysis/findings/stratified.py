"""Stratification: parameter counts on a few levels of equal spacing."""

from __future__ import annotations

from search.analysis.findings.finding import Finding
from search.analysis.levels import Levels


def stratified(levels: Levels | None) -> Finding | None:
    """Found where there are levels (``find_levels`` has the thresholds)."""
    if levels is None:
        return None
    text = (
        f"The parameter counts are stratified: they lie on {len(levels.centres)} levels {levels.spacing / 1e6:.3g} M "
        f"apart (concentration {levels.concentration:.2f}; 1 is exact, a smooth distribution is near 0)."
    )
    figures = {"levels": len(levels.centres), "spacing": levels.spacing, "concentration": levels.concentration}
    remedy = (
        "One or two decisions set the size of a net, and all others hardly change it: give the space widths and depths "
        "in small steps, or sample evenly over the number of parameters."
    )
    return Finding("stratified", text, figures, remedy)
