"""``latseg profile``: the resumable measuring campaign."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latseg.console import Console, plain, table
from latseg.input_values import parse_inputs
from latseg.options import DeviceOptions, InputsOption, SeedOption, ShapesOption, SpaceOptions
from latseg.units import parse_shapes


def profile(
    context: typer.Context,
    target: DeviceOptions,
    within: SpaceOptions,
    models: Annotated[int, typer.Option("--models", min=1, help="Nets of the space to measure.")] = 150,
    operators: Annotated[
        int | None,
        typer.Option(
            "--operators",
            min=0,
            help="Single-operator models to measure.",
            show_default="100; none with at most 60 nets",
        ),
    ] = None,
    minutes: Annotated[float | None, typer.Option("--minutes", min=0.0, help="Stop after this time.")] = None,
    for_models: Annotated[
        list[Path] | None,
        typer.Option("--for", metavar="MODEL.onnx", help="Only the operators of this model; may be repeated."),
    ] = None,
    shape: ShapesOption = None,
    inputs: InputsOption = None,
    choose: Annotated[
        bool, typer.Option("--choose/--draw", help="Few nets: choose the most informative ones, or sample at random.")
    ] = True,
    passes: Annotated[
        int | None,
        typer.Option(
            "--passes",
            min=1,
            max=20,
            help="How often each net is measured, minutes apart.",
            show_default="3; 1 with at most 60 nets",
        ),
    ] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Measure again what failed before.")] = False,
    seed: SeedOption = 0,
) -> None:
    """Measure nets of the space and operators; an interrupted profile is continued.

    With --for, only the operators of the given models, alone and among others: `fit` then learns them, and `predict`
    widens the bound less.
    Ten to twenty nets are enough where a prior of other devices exists; they are then chosen and not sampled.
    """
    console: Console = context.obj
    result = console.api.device(target.device, threads=target.threads).profile(
        models=models,
        operators=operators,
        for_=for_models or (),
        shapes=parse_shapes(shape),
        values=parse_inputs(inputs),
        space=within.text,
        sizes=within.size,
        choose=choose,
        passes=passes,
        minutes=minutes,
        retry_failed=retry_failed,
        seed=seed,
    )
    document = result.to_json()
    rows = [(key, value) for key, value in document.items() if key != "failures"]
    failures = [f"{failure.what}: {failure.reason}" for failure in result.failures]
    threads = () if target.threads is None else ("--threads", str(target.threads))
    console.emit(
        document,
        lambda: [
            table(f"Profile of {result.device.name}", ("what", "value"), rows),
            *(["[bold]Not measured[/bold], so that predictions of them are guesses:"] if failures else []),
            *map(plain, failures),
            "Continue with: " + plain(console.line("fit", "--device", target.device, *threads)),
        ],
    )
