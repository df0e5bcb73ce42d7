"""``latseg measure``: one model, measured with the protocol."""

from __future__ import annotations

from pathlib import Path

import typer

from latseg.console import Console, plain, table
from latseg.input_values import parse_inputs
from latseg.network_model import NetworkModel
from latseg.network_options import ModelOptions
from latseg.options import DeviceOptions, InputsOption, ModelArgument, SeedOption, ShapesOption
from latseg.results import MeasuredModel
from latseg.units import parse_shapes

_COLUMNS = ("kind", "attributes", "output", "mflops", "ms", "share_percent", "kernel")


def measure(
    context: typer.Context,
    target: DeviceOptions,
    network: ModelOptions,
    file: ModelArgument = None,
    shape: ShapesOption = None,
    inputs: InputsOption = None,
    seed: SeedOption = 0,
) -> None:
    """Measure the latency of a model, or of a known network, on the device, operator by operator."""
    console: Console = context.obj
    model = network.chosen(file)
    measured = console.api.device(target.device, threads=target.threads).measure(
        model, shapes=parse_shapes(shape), values=parse_inputs(inputs), seed=seed
    )
    console.emit(
        {**measured.to_json(), "warnings": console.warnings},
        lambda: [
            *_headline(model, target.device, measured),
            table(
                f"Operators, from {measured.measurement.profiler or 'no profiler'}",
                _COLUMNS,
                [[row.get(column, "") for column in _COLUMNS] for row in measured.operators],
            ),
        ],
    )


def _headline(model: Path | NetworkModel, device: str, result: MeasuredModel) -> list[str]:
    measured = result.measurement
    (low, high), floor = result.interval_ms, result.noise_floor.percent_of(measured)
    simulated = " (SIMULATED: nothing was timed)" if measured.simulated else ""
    converged = "" if measured.converged else " (did not converge)"
    normalised = (
        "" if measured.normalised else "; plain times: the A/A check shows that normalising increases the noise here"
    )
    return [
        f"{plain(model)}: [bold]{measured.latency_ms:.3f} ms[/bold] on {device}{simulated}, 95 % of repeats within "
        f"{low:.3f} to {high:.3f} ms{converged}, noise floor {floor:.1f} %{normalised}",
        f"raw median {measured.raw_median_ms:.3f} ms, p90 {measured.p90_ms:.3f} ms, first run "
        f"{measured.first_run_ms:.2f} ms, load {measured.load_ms:.1f} ms, {len(measured.blocks)} blocks",
    ]
