"""``latseg report``: one self-contained HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latseg.console import Console, plain
from latseg.options import RunArgument, RunSeedOption


def report(
    context: typer.Context,
    run: RunArgument,
    photographs: Annotated[
        bool, typer.Option("--photographs", help="Show masks on photographs; mind their licence.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The HTML file; default: report.html in the run's folder.")
    ] = None,
    segmented: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Show the overlays and cut-outs that `latseg segment` wrote there, too."),
    ] = None,
    seed: RunSeedOption = 0,  # noqa: ARG001 - every command takes --seed
) -> None:
    """Write the run's report: Pareto front, predicted against measured, operators, scores and masks of the winner."""
    console: Console = context.obj
    path = console.api.run(run).report(photographs=photographs, output=output, segmented=segmented)
    console.emit({"path": str(path)}, lambda: f"Report: {plain(path)}")
