"""``latseg predict``: what a model will take, operator by operator, without running it."""

from __future__ import annotations

import typer

from latseg.console import Console, plain, table
from latseg.options import DeviceOption, IgnoredSeedOption, ModelArgument, ShapesOption, ThreadsOption
from latseg.units import parse_shape
from latseg.workspace import Workspace


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
    predictor = Workspace(console.workspace).predictor(get_device(device, threads=threads))
    prediction = predictor.predict([graph])[0]
    info = predictor.device_info_json
    simulated = " (SIMULATED: nothing was ever timed)" if info["simulated"] else ""
    rows = operator_rows(graph, prediction.operators_ms)
    document = {
        "latency_ms": prediction.latency_ms,
        "upper_ms": prediction.upper_ms,
        "constant_ms": prediction.constant_ms,
        "device": info,
        "simulated": info["simulated"],
        "operators": rows,
        "unseen": [{"position": position, **rows[position]} for position in prediction.unseen],
    }
    columns = ("kind", "attributes", "output", "mflops", "ms", "share_percent")
    console.emit(
        document,
        lambda: [
            f"{plain(model)}: [bold]{prediction.latency_ms:.3f} ms[/bold] predicted on {device}{simulated}, "
            f"under {prediction.upper_ms:.3f} ms with 90 % confidence",
            table("Operators", columns, [[row[column] for column in columns] for row in rows]),
            _unseen_line([rows[position] for position in prediction.unseen]),
        ],
    )


def _unseen_line(rows: list[dict[str, object]]) -> str:
    if not rows:
        return "Every operator is of a kind and size that was measured."
    names = ", ".join(f"{row['kind']} {row['output']}" for row in rows[:8])
    return f"Never measured, so the bound is wider: {names}{' ...' if len(rows) > 8 else ''}"
