"""Histogram of the parameter counts, with their levels where they are stratified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search.analysis.levels import Levels
from search.analysis.pictures.style import ACCENT, MAIN, draw_limit, legend_above, new_figure
from search.analysis.search_log import Cost

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BINS = 60


def draw_parameters(cost: Cost, levels: Levels | None) -> Figure:
    """Counts of trials over parameters; a dotted line at each level."""
    figure, (axes,) = new_figure(height=2.8)
    axes.hist(cost.known / cost.scale, bins=_BINS, color=MAIN)
    for position, centre in enumerate([] if levels is None else levels.centres):
        axes.axvline(
            centre / cost.scale, color=ACCENT, linestyle=":", linewidth=1, label="level" if position == 0 else None
        )
    draw_limit(axes, None if cost.limit is None else cost.limit / cost.scale, vertical=True)
    axes.set_xlabel(cost.label)
    axes.set_ylabel("trials")
    if levels is not None or cost.limit is not None:
        legend_above(axes)
    return figure
