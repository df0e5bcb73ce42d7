"""Parameters, latency, quality and reward over the trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from search.analysis.pictures.style import MAIN, MUTED, draw_limit, legend_above, new_figure
from search.analysis.search_log import SearchLog, Vector
from search.analysis.windows import WINDOW

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_course(log: SearchLog) -> Figure:
    """One panel for each cost, one for quality and one for a reward that is more than that, with a running median."""
    costs = [cost for cost in log.costs if len(cost.known)]
    worth = [(log.quality_label, log.quality)]
    if log.rewards is not None:
        worth.append(("reward of the strategy", log.rewards))
    count = len(costs) + len(worth)
    figure, panels = new_figure(count, height=0.8 + 1.5 * count, share_x=True)
    for axes, cost in zip(panels, costs, strict=False):
        _plot(axes, log, cost.values / cost.scale)
        draw_limit(axes, None if cost.limit is None else cost.limit / cost.scale, vertical=False)
        axes.set_ylabel(cost.label.replace(" on ", "\non "))
    for axes, (label, values) in zip(panels[len(costs) :], worth, strict=True):
        _plot(axes, log, values)
        axes.set_ylabel(label)
    panels[-1].set_xlabel("trial")
    legend_above(panels[0])
    figure.align_ylabels()
    return figure


def _plot(axes: Axes, log: SearchLog, values: Vector) -> None:
    known = np.isfinite(values)
    numbers, values = log.numbers[known], values[known]
    axes.plot(numbers, values, ".", color=MUTED, markersize=3, label="trial", rasterized=True)
    if len(values) > WINDOW:
        medians = np.median(np.lib.stride_tricks.sliding_window_view(values, WINDOW), axis=1)
        middle = numbers[WINDOW // 2 : WINDOW // 2 + len(medians)]
        axes.plot(middle, medians, color=MAIN, label=f"median of {WINDOW} trials")
