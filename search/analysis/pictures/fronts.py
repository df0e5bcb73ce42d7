"""Pareto fronts: quality over each cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from search.analysis.pictures.style import draw_limit, line_style, new_figure, shortened
from search.analysis.search_log import Cost, SearchLog, Vector, common_costs
from search.pareto import fronts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_fronts(logs: Sequence[SearchLog]) -> Figure:
    """One panel for each cost that all logs have, at least one: their trials and fronts in that cost and quality."""
    names = common_costs(logs)
    figure, panels = new_figure(1, len(names), height=3.2)
    for axes, name in zip(panels, names, strict=True):
        for position, log in enumerate(logs):
            cost = log.cost(name)
            assert cost is not None
            _draw_front(axes, log, cost, position)
        _label(axes, logs, name)
    panels[0].set_ylabel(logs[0].quality_label)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper left", ncols=3,
        title="Pareto fronts (lines) of trials (dots)", title_fontsize="medium", alignment="left",
    )  # fmt: skip
    return figure


def _draw_front(axes: Axes, log: SearchLog, cost: Cost, position: int) -> None:
    style = line_style(position)
    axes.plot(
        cost.values / cost.scale, log.quality, ".", color=style["color"], alpha=0.25, markersize=3, zorder=1,
        rasterized=True,
    )  # fmt: skip
    values, quality = front_of(log.quality, cost.values)
    (name,) = shortened([log.name])
    axes.step(values / cost.scale, quality, where="post", label=name, zorder=3, **style)


def front_of(quality: Vector, values: Vector) -> tuple[Vector, Vector]:
    """Costs and qualities of the non-dominated trials, the cheapest first."""
    known = np.isfinite(values)
    rows = np.column_stack([values[known], -quality[known]])
    front = rows[fronts(rows, least=1)[0]]
    front = front[np.lexsort((front[:, 1], front[:, 0]))]
    return front[:, 0], -front[:, 1]


def _label(axes: Axes, logs: Sequence[SearchLog], name: str) -> None:
    costs = [cost for log in logs if (cost := log.cost(name)) is not None]
    limits = {cost.limit for cost in costs if cost.limit is not None}
    if len(limits) == 1:
        draw_limit(axes, limits.pop() / costs[0].scale, vertical=True)
    axes.set_xlabel(costs[0].label)
