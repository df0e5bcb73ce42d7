"""``latseg compare``: where the milliseconds of two models differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latseg.console import Console, plain, table
from latseg.model_shapes import Shapes, shapes_of
from latseg.options import DeviceOption, SeedOption, ShapesOption, ThreadsOption
from latseg.output.operator_table import Row
from latseg.workspace import Workspace

if TYPE_CHECKING:
    from devices.device import Device

COLUMNS = ("kind", "attributes", "output", "count_a", "count_b", "ms_a", "ms_b", "difference_ms")


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the two models."""

    model: Path
    latency_ms: float
    rows: list[Row]
    interval_ms: tuple[float, float] | None = None
    missing: str = ""
    """Why there are no rows."""

    def to_json(self) -> dict[str, Any]:
        return {"model": str(self.model), "latency_ms": self.latency_ms, "interval_ms": self.interval_ms}

    def __str__(self) -> str:
        between = "" if self.interval_ms is None else " ({:.3f} to {:.3f})".format(*self.interval_ms)
        return f"{plain(self.model)}: [bold]{self.latency_ms:.3f} ms[/bold]{between}"


def compare(
    context: typer.Context,
    first: Annotated[Path, typer.Argument(metavar="A.onnx", help="An ONNX file.")],
    second: Annotated[Path, typer.Argument(metavar="B.onnx", help="The one to compare it with.")],
    device: DeviceOption = "cpu",
    threads: ThreadsOption = 1,
    shape: ShapesOption = None,
    predicted: Annotated[
        bool, typer.Option("--predicted", help="Predict both from what was profiled instead of measuring them.")
    ] = False,
    seed: SeedOption = 0,
) -> None:
    """Measure two models side by side and say, operator by operator, where their times differ."""
    from devices.registry import get_device
    from latseg.output.operator_comparison import compare_rows

    console: Console = context.obj
    workspace, target = Workspace(console.workspace), get_device(device, threads=threads)
    models, shapes = (first, second), shapes_of((first, second), shape)
    a, b = (
        _predicted(console, target, models, shapes) if predicted else _measured(workspace, target, models, shapes, seed)
    )
    missing = "; ".join(f"{side.model.name}: {side.missing}" for side in (a, b) if side.missing)
    rows = [] if missing else compare_rows(a.rows, b.rows)
    info = target.info()
    document = {
        "a": a.to_json(),
        "b": b.to_json(),
        "difference_ms": b.latency_ms - a.latency_ms,
        "predicted": predicted,
        "device": info.to_json(),
        "simulated": info.simulated,
        "operators": rows,
        "operators_missing": missing,
        "warnings": console.warnings,
    }
    how = "predicted" if predicted else "measured"
    simulated = " (SIMULATED: nothing was timed)" if info.simulated else ""
    console.emit(
        document,
        lambda: [
            f"A {a}",
            f"B {b}",
            f"{how} on {device}{simulated}: B takes {b.latency_ms / a.latency_ms:.2f} times as long, "
            f"{b.latency_ms - a.latency_ms:+.3f} ms{_within(a, b)}",
            f"No operator times: {plain(missing)}."
            if missing
            else table("The largest differences first", COLUMNS, [[row[column] for column in COLUMNS] for row in rows]),
        ],
    )


def _within(a: _Side, b: _Side) -> str:
    if a.interval_ms is None or b.interval_ms is None:
        return ""
    apart = a.interval_ms[1] < b.interval_ms[0] or b.interval_ms[1] < a.interval_ms[0]
    return "" if apart else "; the 95 % intervals overlap, so this may be noise"


def _measured(
    workspace: Workspace, device: Device, models: tuple[Path, Path], shapes: Sequence[Shapes], seed: int
) -> tuple[_Side, _Side]:
    """Timed in one interleaved group."""
    from devices.device import Candidate
    from latency.measuring import measure_together
    from latseg.output.operator_table import measured_rows

    candidates = [
        Candidate(f"{which} {model.name}", model, tuple(fixed.items()))
        for which, model, fixed in zip("AB", models, shapes, strict=True)
    ]
    with workspace.store() as store:
        measured = measure_together(device, candidates, store, seed=seed)
    a, b = (
        _Side(
            model,
            one.latency_ms,
            measured_rows(model, fixed, one),
            one.interval_ms,
            "" if one.operators else one.profiler,
        )
        for model, fixed, one in zip(models, shapes, measured, strict=True)
    )
    return a, b


def _predicted(
    console: Console, device: Device, models: tuple[Path, Path], shapes: Sequence[Shapes]
) -> tuple[_Side, _Side]:
    """From the device's predictor; what does not belong to an operator is a row of its own."""
    from latency.operators.from_onnx import from_onnx
    from latseg.output.operator_table import operator_rows

    graphs = [from_onnx(model, fixed) for model, fixed in zip(models, shapes, strict=True)]
    predictions = Workspace(console.workspace).predictor(device, console.warn).predict(graphs)
    a, b = (
        _Side(
            model,
            one.latency_ms,
            [
                *operator_rows(graph, one.operators_ms),
                {"kind": "constant", "attributes": "", "output": "", "ms": one.constant_ms},
            ],
        )
        for model, graph, one in zip(models, graphs, predictions, strict=True)
    )
    return a, b
