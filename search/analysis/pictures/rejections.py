"""Rejected candidates by limit, as bars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from search.analysis.pictures.style import MAIN, new_figure, shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_rejections(rejected: Mapping[str, int]) -> Figure:
    """Candidates by the limit that they broke; one that broke two counts for both."""
    figure, (axes,) = new_figure(height=0.8 + 0.3 * len(rejected))
    bars = axes.barh(range(len(rejected)), list(rejected.values()), color=MAIN, height=0.6)
    axes.bar_label(bars, labels=[f" {count:,}" for count in rejected.values()])
    axes.set_yticks(range(len(rejected)), shortened(rejected, most=32))
    axes.margins(x=0.1)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("candidates that broke the limit")
    return figure
