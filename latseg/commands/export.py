"""``latseg export``: the bundle of a winner, of a known network or of an ONNX file, with its certificate."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from export.registry import EXPORTERS
from latseg.commands.verify import VERIFICATION_FAILED
from latseg.console import Console, plain, table
from latseg.option_groups import refuse_options
from latseg.options import LatencyOptions, ShapesOption, WinnerOption, split_names
from latseg.run_handle import DEFAULT_FORMATS
from latseg.units import parse_shapes

if TYPE_CHECKING:
    from rich.console import RenderableType

    from latseg.bundle import Bundle

_COLUMNS = ("format", "path", "parity_max_abs", "parity_mask_iou", "measured_ms", "bytes", "load_ms", "peak_memory_mb")


def export(
    context: typer.Context,
    target: Annotated[
        str, typer.Argument(metavar="RUN|MODEL.onnx", help="Id of a run, as it was printed, or any ONNX file.")
    ],
    limits: LatencyOptions,
    winner: WinnerOption = None,
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", "-f", help=f"{', '.join(EXPORTERS.names)}; may be repeated, or separated by commas."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "--out", "-o", help="Folder of a file's bundle. Default: MODEL-bundle.")
    ] = None,
    shape: ShapesOption = None,
    sign: Annotated[
        Path | None, typer.Option(metavar="KEY", help="Sign the bundle with this SSH key (ssh-keygen -Y sign).")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of a file's inputs; a run has its own.")] = 0,
) -> None:
    """Export a trained net, or any ONNX file, with its certificate; exit code 4 if not certified.

    That very file is measured. The limits are those of the search; other ones, and those of a known network or of a
    file, are given here.
    """
    console: Console = context.obj
    given = limits.device or limits.max_latency or limits.threads
    names, budgets, threads = split_names(formats or ()), limits.latency_ms if given else None, limits.threads
    if target.endswith(".onnx") or Path(target).is_file():
        refuse_options("an ONNX file", winner=winner)
        shapes = parse_shapes(shape)
        bundle = console.api.export(
            target, output, formats=names, budgets=budgets, threads=threads, shapes=shapes, sign=sign, seed=seed
        )
    else:
        refuse_options("a run", output=output, shape=shape)
        run = console.api.run(target)
        bundle = run.export(winner, formats=names or DEFAULT_FORMATS, sign=sign, budgets=budgets, threads=threads)
    console.emit(_document(bundle), lambda: _lines(bundle))
    if bundle.refusals:
        raise typer.Exit(VERIFICATION_FAILED)


def _lines(bundle: Bundle) -> list[RenderableType]:
    files = [{**row, "path": Path(row["path"]).relative_to(bundle.path)} for row in _document(bundle)["files"]]
    rows = [[row[column] for column in _COLUMNS] for row in files]
    manifest = bundle.manifest
    unpromised = not (manifest.certificates or manifest.refusals)
    return [
        table(f"Bundle {bundle.path}", _COLUMNS, rows),
        *(plain(certificate.statement) for certificate in manifest.certificates),
        *(["No latency was promised or measured."] if unpromised else []),
        *([plain(str(manifest.pipeline))] if manifest.pipeline else []),
        *(plain(f"Not written: {reason}") for reason in manifest.left_out),
        *(f"[bold red]NOT certified[/] on {plain(refusal)}" for refusal in bundle.refusals),
        "Continue with: " + plain(shlex.join(["latseg", "verify", str(bundle.path)])),
    ]


def _document(bundle: Bundle) -> dict[str, Any]:
    models = [file for file in bundle.manifest.files if file.executed]
    return {
        "bundle": str(bundle.path),
        "certified": bundle.certified,
        "refusals": list(bundle.refusals),
        "left_out": list(bundle.manifest.left_out),
        "pipeline": None if bundle.manifest.pipeline is None else bundle.manifest.pipeline.model_dump(),
        "files": [
            {
                "format": file.format,
                "path": str(bundle.path / file.path),
                "sha256": file.sha256,
                "parity_max_abs": file.parity_max_abs,
                "parity_mask_iou": file.parity_mask_iou,
                "measured_ms": file.measured_ms,
                "bytes": file.bytes,
                "load_ms": file.load_ms,
                "peak_memory_mb": file.peak_memory_mb,
                "compute_units": list(file.compute_units),
            }
            for file in models
        ],
    }
