"""Diversity over a sliding window: mean edit distance, and entropy by slot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from search.analysis.diversity import Diversity
from search.analysis.pictures.style import MAIN, new_figure, shortened
from search.analysis.windows import WINDOW

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_SLOTS = 24
"""Rows of the entropy; of more slots, those whose entropy changes the most."""
_ROW = 0.15


def draw_diversity(diversity: Diversity) -> Figure:
    """Above the mean edit distance of two trials of a window, below the entropy of the slots."""
    rows = min(len(diversity.slots), MAX_SLOTS)
    heights = [1.4, max(_ROW * rows, 1.0)]
    figure, (above, below) = new_figure(2, height=sum(heights) + 0.9, share_x=True, heights=heights)
    above.plot(diversity.numbers, diversity.distance, color=MAIN)
    above.set_ylim(bottom=0)
    above.set_ylabel("edit distance,\nslots")
    _draw_entropy(below, diversity)
    below.set_xlabel(f"last trial of each window of {WINDOW} trials")
    return figure


def _draw_entropy(axes: Axes, diversity: Diversity) -> None:
    spread = np.ptp(diversity.entropy_bits, axis=1)
    shown = np.sort(np.argsort(-spread, kind="stable")[:MAX_SLOTS])
    edges = np.append(diversity.numbers, diversity.numbers[-1] + 1)
    mesh = axes.pcolormesh(
        edges, np.arange(len(shown) + 1), diversity.entropy_bits[shown], cmap="viridis", vmin=0, rasterized=True
    )
    names = shortened((diversity.slots[slot] for slot in shown), most=24)
    axes.set_yticks(np.arange(len(shown)) + 0.5, names, fontsize=7)
    axes.set_ylabel("slot")
    axes.invert_yaxis()
    axes.grid(visible=False)
    figure = axes.get_figure()
    assert figure is not None
    figure.colorbar(mesh, ax=axes, label="entropy, bits", aspect=30)
