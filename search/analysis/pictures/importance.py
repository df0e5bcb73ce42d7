"""Importance of the slots as bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from search.analysis.importance import SlotImportance
from search.analysis.pictures.style import MAIN, MUTED, legend_above, new_figure, shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_SLOTS = 20


def draw_importance(slots: Sequence[SlotImportance]) -> Figure:
    """The most important slots; those that explain no more than chance are grey."""
    shown = list(slots[:MAX_SLOTS])
    figure, (axes,) = new_figure(height=0.9 + 0.19 * len(shown))
    rows = list(range(len(shown)))
    for significant, colour, label in ((True, MAIN, "above chance"), (False, MUTED, "within chance")):
        chosen = [row for row in rows if shown[row].significant is significant]
        if chosen:
            axes.barh(chosen, [100 * shown[row].explained for row in chosen], color=colour, height=0.7, label=label)
    axes.set_yticks(rows, shortened((slot.slot for slot in shown), most=24))
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("variance of quality explained by the slot alone, corrected for chance, %")
    legend_above(axes)
    return figure
