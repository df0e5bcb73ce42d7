"""``latseg verify``: hashes, parity and budget of a bundle, checked again."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from latseg.bundle import Bundle
from latseg.console import Console, table
from latseg.options import SeedOption

VERIFICATION_FAILED = 4


def verify(
    context: typer.Context,
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder that `latseg export` wrote.")],
    device: Annotated[str | None, typer.Option("--device", "-d", help="Measure here; default: as certified.")] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of the runtime, with --device; default: as certified.")
    ] = None,
    measure: Annotated[bool, typer.Option("--measure/--no-measure", help="Measure the budget again.")] = True,
    signer: Annotated[
        str | None,
        typer.Option(metavar="IDENTITY/FILE", help="Who must have signed it, and the file of allowed signers."),
    ] = None,
    seed: SeedOption = 0,
) -> None:
    """Check a bundle again; exit code 4 if anything fails."""
    console: Console = context.obj
    result = Bundle(bundle, workspace=console.workspace).verify(
        device=device,
        threads=threads,
        measure=measure,
        seed=seed,
        signer=signer,
        on_check=lambda check: console.remark(f"checked {check.name}"),
    )
    document = {"ok": result.ok, "checks": [asdict(check) for check in result.checks]}
    console.emit(
        document,
        lambda: [
            table("", ("check", "ok", "detail"), [(c.name, c.ok, c.detail) for c in result.checks]),
            "[bold green]Every check holds.[/]" if result.ok else "[bold red]Verification FAILED.[/]",
        ],
    )
    if not result.ok:
        raise typer.Exit(VERIFICATION_FAILED)
