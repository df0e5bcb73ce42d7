"""``latseg fix``: a model without what costs time for nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latseg.console import Console, plain
from latseg.input_values import parse_inputs
from latseg.options import DeviceOptions, InputsOption, SeedOption, ShapesOption
from latseg.results import FixedModel
from latseg.units import parse_shapes


def fix(
    context: typer.Context,
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="An ONNX file.")],
    target: DeviceOptions,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write. Default: MODEL-fixed.onnx.")
    ] = None,
    shape: ShapesOption = None,
    inputs: InputsOption = None,
    seed: SeedOption = 0,
) -> None:
    """Write a model with its weights as constants and ReLU as ReLU, compare its outputs, and measure the gain."""
    console: Console = context.obj
    found = console.api.device(target.device, threads=target.threads).fix(
        model, output, shapes=parse_shapes(shape), values=parse_inputs(inputs), seed=seed
    )
    console.emit({**found.to_json(), "warnings": console.warnings}, lambda: _lines(found))


def _lines(found: FixedModel) -> list[str]:
    both = found.measured
    if both is None:
        return [f"{plain(found.model)}: nothing to change; its weights are constants, and no ReLU is written as Clip."]
    simulated = " (SIMULATED: nothing was timed)" if both.device.simulated else ""
    noise = "; the 95 % intervals overlap, so this may be noise" if both.intervals_overlap else ""
    return [
        *(f"{plain(found.model)}: {change}." for change in found.changes),
        f"{plain(found.output)}: its outputs differ by {found.parity_max_abs:.1e} at most.",
        f"measured on {both.device.name}{simulated}: [bold]{both.a.latency_ms:.3f} ms before, {both.b.latency_ms:.3f} "
        f"ms now[/bold], {both.a.latency_ms / both.b.latency_ms:.2f} times as fast{noise}",
    ]
