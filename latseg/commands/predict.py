"""``latseg predict``: the predicted latency of a model, operator by operator, without running it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from latseg.console import Console, plain, table
from latseg.input_values import parse_inputs
from latseg.network_model import NetworkModel
from latseg.network_options import ModelOptions
from latseg.options import (
    DeviceOptions,
    IgnoredSeedOption,
    InputsOption,
    ModelArgument,
    ShapesOption,
    device_words,
    input_words,
)
from latseg.results import PredictedModel
from latseg.table import Row
from latseg.units import parse_shapes

if TYPE_CHECKING:
    from rich.console import RenderableType

    from latseg.device_handle import DeviceHandle


def predict(
    context: typer.Context,
    target: DeviceOptions,
    network: ModelOptions,
    file: ModelArgument = None,
    shape: ShapesOption = None,
    inputs: InputsOption = None,
    seed: IgnoredSeedOption = 0,  # noqa: ARG001 - every command takes --seed
) -> None:
    """Predict the latency of a model, or of a known network, with its calibrated upper bound."""
    console: Console = context.obj
    model = network.chosen(file)
    device = console.api.device(target.device, threads=target.threads)
    predicted = device.predict(model, shapes=parse_shapes(shape), values=parse_inputs(inputs))
    remedy = _remedy(console, model, device, shape, inputs)
    console.emit(
        {**predicted.to_json(), "warnings": console.warnings},
        lambda: [
            f"{plain(model)}: {_headline(predicted, device.name)}",
            _table(predicted.operators),
            *_remarks(predicted, remedy),
        ],
    )


def _headline(predicted: PredictedModel, device: str) -> str:
    simulated = " (SIMULATED: nothing was ever timed)" if predicted.simulated else ""
    before = f"; {predicted.measured.latency_ms:.3f} ms measured" if predicted.measured else ""
    bound = (
        f"under {predicted.upper_ms:.3f} ms with {100 * predicted.confidence:.3g} % confidence for nets like the "
        f"{predicted.predictor.calibration.held_out.count} calibrated on"
        if predicted.calibrated
        else f"perhaps up to {predicted.upper_ms:.3f} ms: no bound is calibrated for nets with operators never measured"
    )
    return f"[bold]{predicted.latency_ms:.3f} ms[/bold] predicted on {device}{simulated}, {bound}{before}"


def _table(rows: Sequence[Row]) -> RenderableType:
    """Measured times stand in the row of a kernel's first operator; the others name that row."""
    columns = ["kind", "attributes", "input", "output", "mflops", "ms", "share_percent"]
    shown = [[row[column] for column in columns] for row in rows]
    if any(row["kernel"] for row in rows):
        columns.append("measured_ms")
        for cells, row in zip(shown, rows, strict=True):
            first = f"with {row['kernel'][0]}" if row["kernel"] else ""
            cells.append(first if row["measured_ms"] is None else row["measured_ms"])
    if any(row["known"] != "in nets" for row in rows):
        columns.append("known")
        for cells, row in zip(shown, rows, strict=True):
            cells.append(row["known"])
    return table("Operators", ("", *columns), [[position, *cells] for position, cells in enumerate(shown)])


def _remedy(
    console: Console,
    model: Path | NetworkModel,
    device: DeviceHandle,
    shapes: list[str] | None,
    inputs: list[str] | None,
) -> str:
    chosen = device_words(device.name, device.info.threads)
    if isinstance(model, NetworkModel):
        measure = console.line("measure", *model.words(), *chosen)
    else:
        measure = console.line("profile", *chosen, "--for", str(model), *input_words(shapes, inputs))
    return f"{measure} && {console.line('fit', *chosen)}"


def _remarks(predicted: PredictedModel, remedy: str) -> list[str]:
    """What the bound was widened for, and how to narrow it."""
    unseen, isolated = predicted.unseen, predicted.measured_alone
    if not unseen and not isolated:
        return ["Every operator is of a kind and size that was measured in nets."]
    lines = []
    if unseen:
        lines.append(
            f"{predicted.seen_percent:.0f} % of the time rests on operators that were measured. Never measured: "
            f"{_names(unseen)}. Measure them: {plain(remedy)}"
        )
    if isolated:
        lines.append(
            "Measured only in small models, never within a net, so the bound is somewhat wider: "
            f"{_names(isolated)}. Measure a net that has them (`latseg measure`), and fit again."
        )
    return lines


def _names(rows: Sequence[Row]) -> str:
    names = ", ".join(f"{row['kind']} {row['output']}" for row in rows[:8])
    return plain(f"{names}{' ...' if len(rows) > 8 else ''}")
