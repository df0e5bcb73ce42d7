"""``latseg verify``: hashes, parity and budget of a bundle, checked again."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foundation.errors import UserError
from latseg.bundle import Bundle
from latseg.console import Console, table
from latseg.input_values import parse_inputs
from latseg.option_groups import refuse_options
from latseg.options import DEFAULT_DEVICE, InputsOption, SeedOption, ShapesOption
from latseg.units import parse_shapes

if TYPE_CHECKING:
    from export.bundle.check import VerifyResult

VERIFICATION_FAILED = 4
TOO_BUSY = 6
"""Exit code where only the load of the machine prevents an answer."""


def verify(
    context: typer.Context,
    bundle: Annotated[
        Path, typer.Argument(metavar="BUNDLE|MODEL.onnx", help="Folder that `latseg export` wrote, or any ONNX file.")
    ],
    max_latency: Annotated[
        str | None, typer.Option(metavar="TIME", help="What an ONNX file may take, with its unit: 8ms, 900us.")
    ] = None,
    shape: ShapesOption = None,
    inputs: InputsOption = None,
    device: Annotated[
        str | None, typer.Option("--device", "-d", help="Measure here; default: as certified, a file on cpu.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of the runtime, with --device; default: as certified.")
    ] = None,
    measure: Annotated[bool, typer.Option("--measure/--no-measure", help="Measure the budget again.")] = True,
    signer: Annotated[
        str | None,
        typer.Option(metavar="IDENTITY/FILE", help="Who must have signed it, and the file of allowed signers."),
    ] = None,
    wait: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Wait so long for other programs to leave the machine.")
    ] = 0.0,
    seed: SeedOption = 0,
) -> None:
    """Check a bundle again, or whether an ONNX file keeps a latency budget.

    Exit code 4 if anything fails, 6 if that cannot be told (busy machine, close budget).
    """
    console: Console = context.obj
    if bundle.is_file() or bundle.suffix == ".onnx":
        refuse_options("a file", signer=signer, no_measure=not measure)
        if max_latency is None:
            raise UserError(
                "--max-latency", seen="none", expected="what the file may take", remedy="add for example 8ms"
            )
        result = console.api.device(device or DEFAULT_DEVICE, threads=threads).verify(
            bundle, max_latency, shapes=parse_shapes(shape), values=parse_inputs(inputs), seed=seed, wait_s=wait
        )
    else:
        refuse_options("a bundle", max_latency=max_latency, shape=shape, input=inputs)
        result = Bundle(bundle, workspace=console.workspace).verify(
            device=device,
            threads=threads,
            measure=measure,
            seed=seed,
            signer=signer,
            wait_s=wait,
            on_check=lambda check: console.remark(f"checked {check.name}"),
        )
    document = {"ok": result.ok, "undecided": result.undecided, "checks": [asdict(check) for check in result.checks]}
    console.emit(
        document,
        lambda: [
            table("", ("check", "ok", "detail"), [(c.name, c.ok, c.detail) for c in result.checks]),
            _verdict(result),
        ],
    )
    if not result.ok:
        raise typer.Exit(TOO_BUSY if result.undecided else VERIFICATION_FAILED)


def _verdict(result: VerifyResult) -> str:
    if result.ok:
        return "[bold green]Every check holds.[/]"
    if result.undecided:
        return "[bold yellow]The machine is too busy, or the budget too close, to tell; all else holds.[/]"
    return "[bold red]Verification FAILED.[/]"
