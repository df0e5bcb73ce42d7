"""``latseg doctor``: what can be measured here; with a workspace, what is damaged there and what can be saved."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foundation.errors import UserError
from latseg.commands.devices import OTHER_MACHINES, devices_table
from latseg.console import Console, plain, table
from latseg.options import IgnoredSeedOption

if TYPE_CHECKING:
    from rich.console import RenderableType

    from latseg.workspace_health import WorkspaceHealth

DAMAGED = 2


def doctor(
    context: typer.Context,
    workspace: Annotated[
        Path | None, typer.Argument(metavar="[WORKSPACE]", help="Check the files of this folder instead.")
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Write damaged stores anew from what can be read; the old ones are kept.")
    ] = False,
    seed: IgnoredSeedOption = 0,  # noqa: ARG001 - every command takes --seed
) -> None:
    """Show what can be measured on this machine, or what is damaged in a workspace; exit code 2 where something is."""
    console: Console = context.obj
    if workspace is not None:
        _check(console, workspace, repair)
    elif repair:
        raise UserError(
            "--repair", seen="no workspace", expected="the folder that is to be repaired",
            remedy="write `latseg doctor WORKSPACE --repair`",
        )  # fmt: skip
    else:
        _diagnose(console)


def _diagnose(console: Console) -> None:
    from devices.doctor import diagnose

    found = diagnose()
    document = {
        "devices": [asdict(device) for device in found.devices],
        "warnings": [asdict(warning) for warning in found.warnings],
    }
    console.emit(
        document,
        lambda: [
            devices_table(found.devices),
            OTHER_MACHINES,
            table("Warnings", ("what", "how to fix it"), [(w.what, w.fix) for w in found.warnings])
            if found.warnings
            else "No warnings.",
        ],
    )


def _check(console: Console, workspace: Path, repair: bool) -> None:
    from latseg.api import Workspace

    health = Workspace(workspace, on_warning=console.warn).doctor(repair=repair)
    console.emit(health.to_json(), lambda: _rendered(health))
    if not health.ok:
        raise typer.Exit(DAMAGED)


def _rendered(health: WorkspaceHealth) -> list[RenderableType]:
    intact = [file for file in health.files if not file.fault]
    parts: list[RenderableType] = []
    if intact:
        parts.append(table("Intact", ("file", "kind", "content"), [(f.path, f.kind, f.saved) for f in intact]))
    for file in health.damaged:
        lines = [f"[bold]{'Repaired' if file.repaired else 'Damaged'}: {plain(file.path)}[/] ({file.kind})"]
        lines += [f"  {plain(text)}" for text in (file.fault, file.saved, file.remedy) if text]
        parts.append("\n".join(lines))
    if not health.files:
        parts.append("No files of latseg here.")
    elif not health.damaged:
        parts.append("[bold green]Everything is intact.[/]")
    return parts
