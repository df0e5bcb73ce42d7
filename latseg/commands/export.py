"""``latseg export``: the bundle of a winner, with its certificate."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated, Any

import typer

from export.registry import EXPORTERS
from latseg.commands.verify import VERIFICATION_FAILED
from latseg.console import Console, plain, table
from latseg.options import RunArgument, RunSeedOption, WinnerOption
from latseg.run_handle import DEFAULT_FORMATS

if TYPE_CHECKING:
    from search.winners.export import ExportedWinner


def export(
    context: typer.Context,
    run: RunArgument,
    winner: WinnerOption,
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", "-f", help=f"{', '.join(EXPORTERS.names)}; may be repeated."),
    ] = None,
    seed: RunSeedOption = 0,  # noqa: ARG001 - the run's own seed counts
) -> None:
    """Export a trained winner, measure that very file, and write the bundle; exit code 4 if not certified."""
    console: Console = context.obj
    written = console.api.run(run).exported(winner, formats=formats or DEFAULT_FORMATS)
    document = _document(written)
    columns = ("format", "path", "parity_max_abs", "parity_mask_iou", "measured_ms")
    console.emit(
        document,
        lambda: [
            table(
                f"Bundle {written.bundle}", columns, [[row[column] for column in columns] for row in document["files"]]
            ),
            *(plain(certificate.statement) for certificate in written.manifest.certificates),
            *(f"[bold red]NOT certified[/] on {plain(refusal)}" for refusal in written.refusals),
            "Continue with: " + plain(shlex.join(["latseg", "verify", str(written.bundle)])),
        ],
    )
    if written.refusals:
        raise typer.Exit(VERIFICATION_FAILED)


def _document(written: ExportedWinner) -> dict[str, Any]:
    models = [file for file in written.manifest.files if file.executed]
    return {
        "bundle": str(written.bundle),
        "certified": not written.refusals,
        "refusals": list(written.refusals),
        "files": [
            {
                "format": file.format,
                "path": str(written.bundle / file.path),
                "sha256": file.sha256,
                "parity_max_abs": file.parity_max_abs,
                "parity_mask_iou": file.parity_mask_iou,
                "measured_ms": file.measured_ms,
            }
            for file in models
        ],
    }
