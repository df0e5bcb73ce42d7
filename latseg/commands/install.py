"""``latseg install``: brings runtimes and converters that are too heavy, or not free, to come with latseg."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from foundation.progress import OnProgress, Progress
from latseg.console import Console, table
from latseg.options import IgnoredSeedOption

_NOTE = 60
"""Characters of an installer's line that are shown."""


def install(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME...]", help="List them all without one.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Install all of them.")] = False,
    seed: IgnoredSeedOption = 0,  # noqa: ARG001 - every command takes --seed
) -> None:
    """Install a runtime or a converter into a folder of its own; without a name, list them with licence and size."""
    from devices.installations.registry import INSTALLATIONS
    from latseg.progress_bar import shown_progress

    console: Console = context.obj
    chosen = INSTALLATIONS.names if everything else tuple(dict.fromkeys(names or ()))
    wanted = [INSTALLATIONS.get(name)() for name in chosen]
    missing = [each for each in wanted if not each.is_installed()]
    for each in missing:
        console.remark(f"{each.name}: downloads about {each.download_mb} MB ({each.licence}) into {each.folder}")
    with shown_progress("installing", not console.quiet) as report:
        for done, each in enumerate(missing):
            report(Progress(each.name, done, len(missing)))
            each.install(_reporter(each.name, done, len(missing), report))
            report(Progress(each.name, done + 1, len(missing)))
    shown = wanted or [INSTALLATIONS.get(name)() for name in INSTALLATIONS.names]
    columns = ("name", "installed", "download_mb", "licence", "purpose", "folder")
    rows = [(e.name, e.is_installed(), e.download_mb, e.licence, e.purpose, str(e.folder)) for e in shown]
    console.emit(
        [dict(zip(columns, row, strict=True)) for row in rows],
        lambda: table("Installations", ("name", "installed", "MB", *columns[3:]), rows),
    )


def _reporter(name: str, done: int, total: int, report: OnProgress) -> Callable[[str], None]:
    return lambda line: report(Progress(name, done, total, line[:_NOTE]))
