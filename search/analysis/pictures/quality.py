"""Quality over the trials: each trial with the best so far, and windows as box plots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from search.analysis.pictures.style import (
    COLOURS,
    MAIN,
    MUTED,
    legend_above,
    line_style,
    new_figure,
    shortened,
    thinned,
)
from search.analysis.search_log import SearchLog
from search.analysis.windows import window_width, windows

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_best_so_far(logs: Sequence[SearchLog]) -> Figure:
    """The best quality so far of every log; of a single log its trials, too, and the best of each of its strategies."""
    figure, (axes,) = new_figure(height=3.0)
    if len(logs) == 1:
        axes.plot(logs[0].numbers, logs[0].quality, ".", color=MUTED, markersize=3, label="trial", rasterized=True)
    names = shortened(log.name for log in logs) if len(logs) > 1 else ["best so far"]
    for position, (log, name) in enumerate(zip(logs, names, strict=True)):
        axes.step(log.numbers, log.best_so_far, where="post", label=name, **line_style(position))
    for position, (name, mine) in enumerate(logs[0].by_strategy().items() if len(logs) == 1 else (), start=1):
        numbers, best = logs[0].numbers[mine], np.maximum.accumulate(logs[0].quality[mine])
        axes.step(numbers, best, where="post", label=shortened([name])[0], **line_style(position))
    if len(logs) == 1 and len(logs[0]) > 1:
        low = float(np.quantile(logs[0].quality, 0.01))
        span = max(float(logs[0].best_so_far[-1]) - low, 1e-12)
        axes.set_ylim(low - 0.05 * span, low + 1.08 * span)  # a few useless nets would flatten all others
    axes.set_xlabel("trial")
    axes.set_ylabel(logs[0].quality_label if len(logs) == 1 else "best quality so far")
    legend_above(axes, columns=min(len(axes.get_legend_handles_labels()[0]), 3))
    return figure


def draw_windows(log: SearchLog) -> Figure:
    """The distribution of quality in windows: median, quartiles, whiskers to 1.5 times their distance, outliers."""
    figure, (axes,) = new_figure(height=3.0)
    parts = list(windows(log))
    axes.boxplot(
        [quality for _, _, quality in parts],
        widths=0.6,
        patch_artist=True,
        manage_ticks=False,
        boxprops={"facecolor": "#cfe3f1", "edgecolor": MAIN},
        whiskerprops={"color": MAIN},
        capprops={"color": MAIN},
        medianprops={"color": COLOURS[-1]},
        flierprops={"marker": ".", "markersize": 3, "markeredgecolor": MUTED},
    )
    labels = [str(first) for first, _, _ in parts]
    shown = thinned(labels, 10)
    axes.set_xticks([position + 1 for position in shown], [labels[position] for position in shown])
    axes.grid(visible=False, axis="x")
    axes.set_xlabel(f"first trial of each window of {window_width(log)} trials")
    axes.set_ylabel(log.quality_label)
    return figure
