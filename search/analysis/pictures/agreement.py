"""Two figures of the same nets, one over the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search.analysis.pictures.style import COLOURS, MAIN, legend_above, new_figure
from search.analysis.search_log import Matrix

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_agreement(pairs: Matrix, labels: tuple[str, str], *, same_unit: bool) -> Figure:
    """Points of ``pairs x 2``; a line of equality where both have the same unit."""
    figure, (axes,) = new_figure(height=3.6)
    if same_unit:
        middle = float(pairs.mean())
        axes.axline((middle, middle), slope=1, color=COLOURS[-1], linewidth=0.8, linestyle=":", label="equal")
    axes.plot(pairs[:, 0], pairs[:, 1], "o", color=MAIN, markersize=4, label="net")
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    legend_above(axes)
    return figure
