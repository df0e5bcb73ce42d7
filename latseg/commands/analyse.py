"""``latseg analyse``: what searches did, in words and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latseg.console import Console, plain, table
from latseg.option_groups import one_of
from latseg.options import SeedOption
from search.analysis.columns import NAMES

if TYPE_CHECKING:
    from rich.console import RenderableType

    from latseg.analysis import SearchAnalysis


def analyse(
    context: typer.Context,
    logs: Annotated[
        list[str], typer.Argument(metavar="RUN|LOG.csv...", help="Ids or folders of runs, and logs of other searches.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder for pictures and tables; default: analysis in the first run's folder."
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="ROLE=NAME", help=f"Column of a CSV file by its role: {one_of(tuple(NAMES))}."),
    ] = None,
    max_params: Annotated[
        str, typer.Option("--max-params", help="Limit with which the nets of a CSV file are compared.")
    ] = "0.4M",
    seed: SeedOption = 0,
) -> None:
    """Say what searches did and what to change: findings, pictures and tables."""
    from latseg.analysis import column_names

    console: Console = context.obj
    columns = column_names(column or [])
    found = console.api.analyse(*logs, out=out, columns=columns, max_parameters=max_params, seed=seed)
    console.emit(found.to_json(), lambda: _rendered(found))


def _rendered(found: SearchAnalysis) -> list[RenderableType]:
    parts: list[RenderableType] = []
    for finding in found.findings:
        name = "" if len(found.hypervolume) == 1 else f"{plain(finding.log)}: "
        text = plain(finding.sentence)
        parts.append(f"[bold yellow]![/] {name}{text}" if finding.fault else f"- {name}{text}")
    at = ", ".join(f"{name} {value:.10g}" for name, value in {"quality": 0.0, **found.result.reference}.items())
    rows = [[name, found.hypervolume[name], count] for name, count in found.to_json()["trials"].items()]
    parts.append(table("", ("log", "hypervolume", "trials"), rows))
    parts.append(plain(f"Reference point of the hypervolume: {at}"))
    parts.append(f"{len(found.pictures)} pictures and {len(found.tables)} tables: {plain(found.folder)}")
    return parts
