"""``latseg measure``: one model, measured with the protocol."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from latseg.console import Console, plain, table
from latseg.options import DeviceOption, ModelArgument, SeedOption, ShapesOption, ThreadsOption
from latseg.units import parse_shape
from latseg.workspace import Workspace

if TYPE_CHECKING:
    from devices.measurement import Measurement


def measure(
    context: typer.Context,
    model: ModelArgument,
    device: DeviceOption = "cpu",
    threads: ThreadsOption = 1,
    shape: ShapesOption = None,
    seed: SeedOption = 0,
) -> None:
    """Measure a model's latency on the device, operator by operator."""
    from devices.device import Candidate
    from devices.registry import get_device
    from latency.measuring import measure_one
    from latseg.output.operator_table import measured_rows

    console: Console = context.obj
    shapes = dict(parse_shape(text) for text in shape or ())
    target = get_device(device, threads=threads)
    with Workspace(console.workspace).store() as store:
        candidate = Candidate(model.name, model, tuple(shapes.items()))
        result = measure_one(target, candidate, store, seed=seed)
    measured, noise = result.measurement, result.noise_floor
    rows = measured_rows(model, shapes, measured)
    document = {
        "latency_ms": measured.latency_ms,
        "interval_ms": measured.interval_ms,
        "converged": measured.converged,
        "raw_median_ms": measured.raw_median_ms,
        "minimum_ms": measured.minimum_ms,
        "p90_ms": measured.p90_ms,
        "p99_ms": measured.p99_ms,
        "first_run_ms": measured.first_run_ms,
        "load_ms": measured.load_ms,
        "cpu_per_wall": measured.cpu_per_wall,
        "noise_floor_percent": noise.normalised_percent,
        "raw_noise_percent": noise.raw_percent,
        "normalised": measured.normalised,
        "simulated": measured.simulated,
        "device": measured.device.to_json(),
        "operators": rows,
        "samples": [[block.runs, block.candidate_ms, block.reference_ms] for block in measured.blocks],
    }
    columns = ("kind", "attributes", "output", "mflops", "ms", "share_percent", "kernel")
    console.emit(
        document,
        lambda: [
            *_headline(model, device, measured, noise.normalised_percent),
            table(
                f"Operators, from {measured.profiler or 'no profiler'}",
                columns,
                [[row.get(column, "") for column in columns] for row in rows],
            ),
        ],
    )


def _headline(model: Path, device: str, measured: Measurement, noise_percent: float) -> list[str]:
    low, high = measured.interval_ms
    simulated = " (SIMULATED: nothing was timed)" if measured.simulated else ""
    converged = "" if measured.converged else " (did not converge)"
    normalised = "" if measured.normalised else "; plain times: the A/A check says that normalising does harm here"
    return [
        f"{plain(model)}: [bold]{measured.latency_ms:.3f} ms[/bold] on {device}{simulated}, 95 % interval {low:.3f} to "
        f"{high:.3f} ms{converged}, noise floor {noise_percent:.1f} %{normalised}",
        f"raw median {measured.raw_median_ms:.3f} ms, p90 {measured.p90_ms:.3f} ms, first run "
        f"{measured.first_run_ms:.2f} ms, load {measured.load_ms:.1f} ms, {len(measured.blocks)} blocks",
    ]
