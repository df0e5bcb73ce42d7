"""``latseg predict``: what a model will take, operator by operator, without running it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from latseg.console import Console, plain, table
from latseg.options import DeviceOption, IgnoredSeedOption, ModelArgument, ShapesOption, ThreadsOption
from latseg.units import parse_shape
from latseg.workspace import Workspace

if TYPE_CHECKING:
    from devices.device import Device


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
    from latseg.operator_table import operator_rows

    console: Console = context.obj
    graph = from_onnx(model, dict(parse_shape(text) for text in shape or ()))
    target = get_device(device, threads=threads)
    predictor = Workspace(console.workspace).predictor(target, console.warn)
    prediction = predictor.predict([graph])[0]
    unseen_ms = sum(prediction.operators_ms[position] for position in prediction.unseen)
    seen = round(100 * (1 - unseen_ms / prediction.latency_ms), 2)
    info = predictor.device_info_json
    simulated = " (SIMULATED: nothing was ever timed)" if info["simulated"] else ""
    rows = operator_rows(graph, prediction.operators_ms)
    document = {
        "latency_ms": prediction.latency_ms,
        "upper_ms": prediction.upper_ms,
        "constant_ms": prediction.constant_ms,
        "seen_percent": seen,
        "confidence": predictor.calibration.confidence,
        "calibration_nets": predictor.calibration.count,
        "device": info,
        "simulated": info["simulated"],
        "operators": rows,
        "warnings": console.warnings,
        "unseen": [{"position": position, **rows[position]} for position in prediction.unseen],
        "measured_alone": [{"position": position, **rows[position]} for position in prediction.alone],
    }
    columns = ("kind", "attributes", "output", "mflops", "ms", "share_percent")
    console.emit(
        document,
        lambda: [
            f"{plain(model)}: [bold]{prediction.latency_ms:.3f} ms[/bold] predicted on {device}{simulated}, "
            f"under {prediction.upper_ms:.3f} ms with {100 * predictor.calibration.confidence:.3g} % confidence for "
            f"nets like the {predictor.calibration.count} calibrated on",
            table("Operators", columns, [[row[column] for column in columns] for row in rows]),
            _unseen_line(
                [rows[position] for position in prediction.unseen], seen, _remedy(console, model, target, shape)
            ),
        ],
    )


def _remedy(console: Console, model: Path, device: Device, shapes: list[str] | None) -> str:
    words = [word for shape in shapes or () for word in ("--shape", shape)]
    threads = device.info().threads
    chosen = ["--device", device.name, *(["--threads", str(threads)] if threads > 1 else [])]
    profile = console.line("profile", *chosen, "--for", str(model), *words)
    return f"{profile} && {console.line('fit', *chosen)}"


def _unseen_line(rows: list[dict[str, object]], seen_percent: float, remedy: str) -> str:
    if not rows:
        return "Every operator is of a kind and size that was measured."
    names = ", ".join(f"{row['kind']} {row['output']}" for row in rows[:8])
    return (
        f"{seen_percent:.0f} % of the time rests on operators that were measured. Never measured, so the bound is "
        f"wider: {plain(names)}{' ...' if len(rows) > 8 else ''}. Measure them: {plain(remedy)}"
    )
