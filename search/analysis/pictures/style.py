"""How all pictures look, and how they become files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 6.5
"""Inches: the text width of a page."""
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Told apart by colour-blind readers: Okabe and Ito, "Color universal design", 2008."""
DASHES = ("-", "--", ":", "-.")
"""After all colours, the next dash."""
MAIN, ACCENT, LIMIT, MUTED = COLOURS[0], COLOURS[1], COLOURS[-1], "#9a9a9a"
_RC: dict[str, Any] = {
    "font.size": 9,
    "text.parse_math": False,  # labels come from files
    "axes.titlesize": 9,
    "legend.fontsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "svg.fonttype": "none",
    "svg.hashsalt": "latseg",
}


def new_figure(
    rows: int = 1, columns: int = 1, *, height: float, share_x: bool = False, heights: Sequence[float] | None = None
) -> tuple[Figure, list[Axes]]:
    """A figure of the page's width and its axes, row by row; ``heights`` are those of the rows."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharex=share_x, height_ratios=heights)
    return figure, list(axes.flat)


def render(draw: Callable[[], Figure], file_format: Literal["png", "svg"], *, dpi: int = 200) -> bytes:
    """The content of a file with the figure that ``draw`` makes; equal figures give equal bytes."""
    from matplotlib import rc_context

    target = BytesIO()
    rc: Any = _RC
    with rc_context(rc):
        metadata = {"Date": None} if file_format == "svg" else {"Software": None}
        draw().savefig(target, format=file_format, dpi=dpi, metadata=metadata)
    return target.getvalue()


def draw_limit(axes: Axes, limit: float | None, *, vertical: bool) -> None:
    """A line at a limit."""
    if limit is not None:
        line = axes.axvline if vertical else axes.axhline
        line(limit, color=LIMIT, linestyle="--", linewidth=1, label="limit")


def line_style(position: int) -> dict[str, Any]:
    """Colour and dash of the log at this position."""
    dash = DASHES[position // len(COLOURS) % len(DASHES)]
    return {"color": COLOURS[position % len(COLOURS)], "linestyle": dash}


def legend_above(axes: Axes, *, columns: int = 4) -> None:
    """The legend above the axes, where it hides nothing."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, borderaxespad=0.2)


def thinned(labels: Sequence[str], most: int) -> list[int]:
    """Positions of at most so many labels, evenly spaced from the first."""
    step = max(1, -(-len(labels) // most))
    return list(range(0, len(labels), step))


def shortened(names: Iterable[str], most: int = 30) -> list[str]:
    """Names cut in the middle where they are too long for a legend or an axis."""
    return [name if len(name) <= most else f"{name[: most // 2 - 1]}…{name[-most // 2 :]}" for name in names]
