"""Draws the measured candidates of ``results/guarantee.json``: how much of its budget each one takes."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guarantee import accepted

from provenance import RESULTS
from search.analysis.pictures.style import COLOURS, MAIN, MUTED, new_figure, render

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "guarantee.svg"


def draw(rows: list[dict[str, Any]]) -> Figure:
    """Searches side by side; the budget is the line at 100 %."""
    figure, (axes,) = new_figure(height=3.8)
    axes.axhline(100, color="black", linewidth=1)

    def put(where: list[tuple[int, float]], label: str, **style: Any) -> None:
        axes.plot(*zip(*where, strict=True), linestyle="none", label=label, **style)

    places = list(enumerate(rows))
    nets = [(place, net, 100 * net["measured_ms"] / row["budget_ms"]) for place, row in places
            for net in row["finalists"]]  # fmt: skip
    best = {place: max(held, key=lambda net: net["quality"]) for place, row in places if (held := accepted(row))}
    put([(place, share) for place, net, share in nets if not net["refused"]], "measured, accepted",
        marker=".", color=MAIN, alpha=0.5)  # fmt: skip
    if refused := [(place, share) for place, net, share in nets if net["refused"]]:
        put(refused, "measured, rejected", marker="x", color=MUTED)
    put([(place, 100 * net["measured_ms"] / rows[place]["budget_ms"]) for place, net in best.items()],
        "best quality", marker="o", color=COLOURS[-1], fillstyle="none")  # fmt: skip
    put([(place, 100 * row["certified_ms"] / row["budget_ms"]) for place, row in places if row["certified"]],
        "certificate of the closest winner, once trained", marker="_", markersize=16, color="black")  # fmt: skip
    axes.set_xticks([place for place, _ in places], [f"{row['budget_ms']:g}" for row in rows])
    axes.set_xlabel("budget of the search, ms")
    axes.set_ylabel("measured, % of the budget")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--result", type=Path, default=RESULTS / "guarantee.json")
    parser.add_argument("--output", type=Path, default=PICTURE)
    options = parser.parse_args()
    rows = json.loads(options.result.read_text())["rows"]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_bytes(render(lambda: draw(rows), "svg" if options.output.suffix == ".svg" else "png"))


if __name__ == "__main__":
    main()
