"""``latseg check``: whether a model runs on the devices, operator by operator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from devices.support import Verdict
from latseg.console import Console, plain, table
from latseg.input_values import parse_inputs
from latseg.options import InputsOption, SeedOption, ShapesOption, TargetsOptions, device_words, input_words
from latseg.results import CheckedModel
from latseg.table import Row
from latseg.units import parse_shapes

if TYPE_CHECKING:
    from rich.console import RenderableType

UNSUPPORTED = 4
_NAMES = 4
"""Nodes of one cause that are named; ``--json`` names all."""


def check(
    context: typer.Context,
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="An ONNX file.")],
    target: TargetsOptions,
    shape: ShapesOption = None,
    inputs: InputsOption = None,
    allow_fallback: Annotated[
        bool, typer.Option("--allow-fallback", help="Accept operators that run on another compute unit.")
    ] = False,
    seed: SeedOption = 0,
) -> None:
    """Check whether a model runs on each device, operator by operator; exit code 4 where it does not run on all.

    Where a compiler names no compute units, the model is converted, and units are chosen on the device.
    """
    console: Console = context.obj
    shapes, values, api = parse_shapes(shape), parse_inputs(inputs), console.api
    devices = [api.target(name, threads=target.threads) for name in dict.fromkeys(target.names)]
    chosen = [device_words(device.name, device.info.threads) for device in devices]  # all are there before one works
    found = [device.check(model, shapes=shapes, values=values, seed=seed) for device in devices]
    fixes = [console.line("fix", str(model), *words, *input_words(shape, inputs)) for words in chosen]
    console.emit(
        [
            {**one.to_json(), "fix": fix if one.lost_time else "", "warnings": console.warnings}
            for one, fix in zip(found, fixes, strict=True)
        ],
        lambda: [part for one, fix in zip(found, fixes, strict=True) for part in _parts(one, fix)],
    )
    if not all(one.supported or (allow_fallback and one.falls_back) for one in found):
        raise typer.Exit(UNSUPPORTED)


def _parts(found: CheckedModel, fix: str) -> Iterator[RenderableType]:
    before = f"{plain(found.model)} on {plain(found.device.name)}{plain(_who(found))}:"
    if found.supported:
        word = "runs" if _units(found) or not found.compiled else "converted"
        yield f"{before} [bold green]{word}[/], all {len(found.operators)} nodes{_unit(found)}; {_parity(found)}."
    else:
        word = "runs in part" if found.falls_back else "does not run"
        yield f"{before} [bold red]{word}[/]: {plain(found.support.reason)}"
        yield from _operators(found)
    for cause in found.lost_time:
        yield f"Costs time for nothing: {plain(cause)}. Write a file without, and measure the gain: {plain(fix)}"


def _who(found: CheckedModel) -> str:
    if found.compiled:
        return f" (COMPILED for {found.device.hardware}, {found.device.precision}; nothing ran on the hardware)"
    if found.emulator:
        return f" (EMULATED by {found.emulator}: its outputs count, its times mean nothing)"
    return " (SIMULATED: ONNX Runtime was asked)" if found.device.simulated else ""


def _units(found: CheckedModel) -> list[str]:
    return sorted({row["unit"] for row in found.operators} - {""})


def _unit(found: CheckedModel) -> str:
    if units := _units(found):
        return f" on the {', '.join(units)}"
    return "; the unit of each is chosen on the device" if found.compiled else ""


def _parity(found: CheckedModel) -> str:
    if found.parity_max_abs is None and found.compiled:
        return "its outputs were not computed"
    if found.parity_max_abs is None:
        return "ONNX Runtime computes nothing to compare its outputs with"
    where = " in the compiler's emulator" if found.compiled else ""
    return f"its outputs{where} differ from those of ONNX Runtime by {found.parity_max_abs:.1e} at most"


def _operators(found: CheckedModel) -> Iterator[RenderableType]:
    counts = Counter((row["kind"], row["verdict"]) for row in found.operators)
    yield table("", ("kind", "verdict", "nodes"), [(*key, count) for key, count in sorted(counts.items())])
    for cause, rows in groupby(sorted(found.operators, key=_cause, reverse=True), key=_cause):
        if cause[0] != Verdict.SUPPORTED:
            yield plain(_line(cause, list(rows)))
    if {row["verdict"] for row in found.operators} == {Verdict.SUPPORTED}:
        yield "Every operator runs alone: what fails is a function of the file, a combination, or the size."


def _cause(row: Row) -> tuple[str, str, str]:
    """Sorted in reverse, what is unsupported comes first."""
    return row["verdict"], row["reason"], row["remedy"]


def _line(cause: tuple[str, str, str], rows: list[Row]) -> str:
    verdict, reason, remedy = cause
    names = [f"{row['kind']} {row['name']}" for row in rows[:_NAMES]]
    more = f" and {len(rows) - _NAMES} more" if len(rows) > _NAMES else ""
    return f"{verdict}: {', '.join(names)}{more}: {reason}{f'; {remedy}' if remedy else ''}"
