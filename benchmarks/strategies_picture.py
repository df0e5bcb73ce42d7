"""Draws the courses of ``results/strategies.json``: best quality and volume over the evaluations, means and ranges."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from provenance import RESULTS
from search.analysis.pictures.style import line_style, new_figure, render

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "strategies.svg"
SHOWN = ("random", "evolution", "regularised-evolution", "ppo", "optuna:tpe", "optuna:nsga2", "sgas")
"""Those that differ; more lines cannot be told apart."""


def draw(rows: dict[str, list[dict[str, Any]]]) -> Figure:
    """Best quality on the left, volume on the right."""
    figure, axes = new_figure(1, 2, height=3.2)
    for position, name in enumerate(name for name in SHOWN if name in rows):
        courses = np.array([row["course"] for row in rows[name]])
        for column, panel in enumerate(axes, start=1):
            values, style = courses[..., column], line_style(position)
            scale = 100 if column == 1 else 1
            panel.plot(courses[0, :, 0], scale * values.mean(0), label=name, **style)
            panel.fill_between(
                courses[0, :, 0],
                scale * values.min(0),
                scale * values.max(0),
                color=style["color"],
                alpha=0.1,
                linewidth=0,
            )
    for panel, label in zip(axes, ("best quality, %", "volume of the front"), strict=True):
        panel.set_xlabel("evaluations")
        panel.set_ylabel(label)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4)
    return figure


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=PICTURE)
    options = parser.parse_args()
    rows = json.loads((RESULTS / "strategies.json").read_text())["rows"]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_bytes(render(lambda: draw(rows), "svg" if options.output.suffix == ".svg" else "png"))


if __name__ == "__main__":
    main()
