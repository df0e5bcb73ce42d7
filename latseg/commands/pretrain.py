"""``latseg pretrain``: learns from profiled devices what helps with a new one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latseg.console import Console, plain, table
from latseg.options import SeedOption


def pretrain(
    context: typer.Context,
    more: Annotated[
        list[Path] | None,
        typer.Option("--workspace-of", metavar="DIR", help="Another workspace with measurements; may be repeated."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the prior; default: the workspace's.")
    ] = None,
    seed: SeedOption = 0,
) -> None:
    """Learn from profiled devices how devices differ, so that a new one needs ten to twenty measured nets."""
    console: Console = context.obj
    prior = console.api.pretrain(more or (), output=output, seed=seed)
    columns = ("device", "threads", "family", "nets")
    console.emit(
        prior.to_json(),
        lambda: [
            table("Source devices", columns, [[row[column] for column in columns] for row in prior.devices]),
            f"Prior: {plain(prior.path)}; `latseg fit` uses it where a device has few measurements.",
        ],
    )
