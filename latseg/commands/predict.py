"""``latseg predict``: what a model will take, operator by operator, without running it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from latseg.console import Console, plain, table
from latseg.options import DeviceOption, IgnoredSeedOption, ModelArgument, ShapesOption, ThreadsOption
from latseg.units import parse_shape
from latseg.workspace import Workspace

if TYPE_CHECKING:
    from rich.console import RenderableType

    from devices.device import Device
    from latency.bounded import BoundedPrediction
    from latseg.output.operator_table import Row


def predict(
    context: typer.Context,
    model: ModelArgument,
    device: DeviceOption = "cpu",
    threads: ThreadsOption = 1,
    shape: ShapesOption = None,
    seed: IgnoredSeedOption = 0,  # noqa: ARG001 - every command takes --seed
) -> None:
    """Predict a model's latency with its calibrated upper bound."""
    from devices.registry import get_device
    from latency.operators.from_onnx import from_onnx
    from latseg.output.operator_table import add_knowledge, add_measured, operator_rows

    console: Console = context.obj
    graph = from_onnx(model, dict(parse_shape(text) for text in shape or ()))
    target, workspace = get_device(device, threads=threads), Workspace(console.workspace)
    predictor = workspace.predictor(target, console.warn)
    prediction = predictor.predict([graph])[0]
    stored = workspace.measured(target, graph)
    rows = operator_rows(graph, prediction.operators_ms)
    add_knowledge(rows, prediction.unseen, prediction.alone)
    add_measured(rows, stored)
    document = {
        "latency_ms": prediction.latency_ms,
        "upper_ms": prediction.upper_ms,
        "constant_ms": prediction.constant_ms,
        "seen_percent": _seen_percent(prediction),
        "confidence": predictor.calibration.confidence,
        "calibration_nets": predictor.calibration.count,
        "device": predictor.device_info_json,
        "simulated": predictor.device_info_json["simulated"],
        "flops": graph.flops,
        "parameters": graph.parameters,
        "operators": rows,
        "warnings": console.warnings,
        "unseen": [{"position": position, **rows[position]} for position in prediction.unseen],
        "measured_alone": [{"position": position, **rows[position]} for position in prediction.alone],
        "measured": stored
        and {
            "latency_ms": stored.measurement.latency_ms,
            "interval_ms": stored.measurement.interval_ms,
            "label": stored.measurement.label,
        },
    }
    remedy = _remedy(console, model, target, shape)
    console.emit(
        document, lambda: [f"{plain(model)}: {_headline(document, device)}", _table(rows), *_doubts(document, remedy)]
    )


def _seen_percent(prediction: BoundedPrediction) -> float:
    """Share of the time that is predicted for operators that were measured, alone or in nets, and for the constant."""
    unseen_ms = sum(prediction.operators_ms[position] for position in prediction.unseen)
    return round(100 * (1 - unseen_ms / prediction.latency_ms), 2)


def _headline(document: dict[str, Any], device: str) -> str:
    simulated = " (SIMULATED: nothing was ever timed)" if document["simulated"] else ""
    measured = document["measured"]
    before = f"; {measured['latency_ms']:.3f} ms measured" if measured else ""
    return (
        f"[bold]{document['latency_ms']:.3f} ms[/bold] predicted on {device}{simulated}, under "
        f"{document['upper_ms']:.3f} ms with {100 * document['confidence']:.3g} % confidence for nets like the "
        f"{document['calibration_nets']} calibrated on{before}"
    )


def _table(rows: list[Row]) -> RenderableType:
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


def _remedy(console: Console, model: Path, device: Device, shapes: list[str] | None) -> str:
    words = [word for shape in shapes or () for word in ("--shape", shape)]
    threads = device.info().threads
    chosen = ["--device", device.name, *(["--threads", str(threads)] if threads > 1 else [])]
    profile = console.line("profile", *chosen, "--for", str(model), *words)
    return f"{profile} && {console.line('fit', *chosen)}"


def _doubts(document: dict[str, Any], remedy: str) -> list[str]:
    """What the bound was widened for, and how to mend it."""
    unseen, alone = document["unseen"], document["measured_alone"]
    if not unseen and not alone:
        return ["Every operator is of a kind and size that was measured in nets."]
    lines = []
    if unseen:
        lines.append(
            f"{document['seen_percent']:.0f} % of the time rests on operators that were measured. Never measured, so "
            f"the bound is wider: {_names(unseen)}. Measure them: {plain(remedy)}"
        )
    if alone:
        lines.append(
            "Measured only in models of their own, never within a net, so the bound is somewhat wider: "
            f"{_names(alone)}. Measure a net that has them (`latseg measure`), and fit again."
        )
    return lines


def _names(rows: list[Row]) -> str:
    names = ", ".join(f"{row['kind']} {row['output']}" for row in rows[:8])
    return plain(f"{names}{' ...' if len(rows) > 8 else ''}")
