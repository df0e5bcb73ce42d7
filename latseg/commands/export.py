"""``latseg export``: the bundle of a winner or of a known network, with its certificate."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from export.registry import EXPORTERS
from latseg.commands.verify import VERIFICATION_FAILED
from latseg.console import Console, plain, table
from latseg.options import LatencyOptions, RunArgument, RunSeedOption, WinnerOption
from latseg.run_handle import DEFAULT_FORMATS

if TYPE_CHECKING:
    from latseg.bundle import Bundle


def export(
    context: typer.Context,
    run: RunArgument,
    limits: LatencyOptions,
    winner: WinnerOption = None,
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", "-f", help=f"{', '.join(EXPORTERS.names)}; may be repeated."),
    ] = None,
    sign: Annotated[
        Path | None, typer.Option(metavar="KEY", help="Sign the bundle with this SSH key (ssh-keygen -Y sign).")
    ] = None,
    seed: RunSeedOption = 0,  # noqa: ARG001 - the run's own seed counts
) -> None:
    """Export a trained net, measure that very file, and write the bundle; exit code 4 if not certified.

    The limits are those of the search; other ones, and those of a known network, are given here.
    """
    console: Console = context.obj
    given = limits.device or limits.max_latency or limits.threads
    bundle = console.api.run(run).export(
        winner,
        formats=formats or DEFAULT_FORMATS,
        sign=sign,
        budgets=limits.latency_ms if given else None,
        threads=limits.threads,
    )
    document = _document(bundle)
    columns = ("format", "path", "parity_max_abs", "parity_mask_iou", "measured_ms")
    console.emit(
        document,
        lambda: [
            table(f"Bundle {bundle.path}", columns, [[row[column] for column in columns] for row in document["files"]]),
            *(plain(certificate.statement) for certificate in bundle.manifest.certificates),
            *([plain(str(bundle.manifest.pipeline))] if bundle.manifest.pipeline else []),
            *(f"[bold red]NOT certified[/] on {plain(refusal)}" for refusal in bundle.refusals),
            "Continue with: " + plain(shlex.join(["latseg", "verify", str(bundle.path)])),
        ],
    )
    if bundle.refusals:
        raise typer.Exit(VERIFICATION_FAILED)


def _document(bundle: Bundle) -> dict[str, Any]:
    models = [file for file in bundle.manifest.files if file.executed]
    return {
        "bundle": str(bundle.path),
        "certified": bundle.certified,
        "refusals": list(bundle.refusals),
        "pipeline": None if bundle.manifest.pipeline is None else bundle.manifest.pipeline.model_dump(),
        "files": [
            {
                "format": file.format,
                "path": str(bundle.path / file.path),
                "sha256": file.sha256,
                "parity_max_abs": file.parity_max_abs,
                "parity_mask_iou": file.parity_mask_iou,
                "measured_ms": file.measured_ms,
            }
            for file in models
        ],
    }
