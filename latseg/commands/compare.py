"""``latseg compare``: where the milliseconds of two models differ."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from devices.other_load import BUSY_CORES
from foundation.errors import UserError
from latseg.commands.verify import TOO_BUSY, VERIFICATION_FAILED
from latseg.console import Console, plain, table
from latseg.input_values import parse_inputs
from latseg.options import DeviceOptions, InputsOption, SeedOption, ShapesOption
from latseg.results import ComparedModel, Comparison
from latseg.units import parse_percent, parse_shapes

if TYPE_CHECKING:
    from latseg.device_handle import DeviceHandle

COLUMNS = ("kind", "attributes", "output", "count_a", "count_b", "ms_a", "ms_b", "difference_ms")


def compare(
    context: typer.Context,
    first: Annotated[Path, typer.Argument(metavar="A.onnx", help="An ONNX file.")],
    second: Annotated[Path, typer.Argument(metavar="B.onnx", help="The one to compare it with.")],
    target: DeviceOptions,
    shape: ShapesOption = None,
    inputs: InputsOption = None,
    fail_over: Annotated[
        str | None,
        typer.Option(metavar="PERCENT", help="Exit code 4 if B takes so much longer than A, 6 if that cannot be told."),
    ] = None,
    predicted: Annotated[
        bool, typer.Option("--predicted", help="Predict both from what was profiled instead of measuring them.")
    ] = False,
    seed: SeedOption = 0,
) -> None:
    """Measure two models side by side and show, operator by operator, where their times differ."""
    from latseg.confirmed_comparison import confirmed_comparison

    console: Console = context.obj
    percent = None if fail_over is None else parse_percent(fail_over, option="--fail-over")
    device = console.api.device(target.device, threads=target.threads)
    timed = percent is not None and not predicted
    busy = timed and _busy(device)

    def compared(attempt: int) -> Comparison:
        return device.compare(
            first, second, predicted=predicted, shapes=parse_shapes(shape), values=parse_inputs(inputs),
            seed=seed + attempt,
        )  # fmt: skip

    found = compared(0) if percent is None or predicted or busy else confirmed_comparison(compared, percent)
    busy = busy or (timed and _busy(device))
    slower = None if percent is None or busy else found.slower_by_over(percent)
    gate = {} if percent is None else {"fail_over_percent": percent, "slower": slower}
    console.emit(
        {**found.to_json(), **gate, "warnings": console.warnings},
        lambda: [
            f"A {_side(found.a)}",
            f"B {_side(found.b)}",
            _difference(found),
            *([] if percent is None else [_verdict(percent, slower)]),
            f"No operator times: {plain(found.operators_missing)}."
            if found.operators_missing
            else table(
                "The largest differences first",
                COLUMNS,
                [[row[column] for column in COLUMNS] for row in found.operators],
            ),
        ],
    )
    if percent is not None and slower is not False:
        raise typer.Exit(TOO_BUSY if slower is None else VERIFICATION_FAILED)


def _busy(device: DeviceHandle) -> bool:
    """Whether other programs use the machine, so that nothing can be decided by times."""
    if device.info.simulated:
        raise UserError(
            "--fail-over", seen="a simulated device, which times no run", expected="a device that does",
            remedy="name one with --device, or leave --fail-over out",
        )  # fmt: skip
    return device.device.other_load() >= BUSY_CORES


def _verdict(percent: float, slower: bool | None) -> str:
    if slower is None:
        return (
            f"[bold yellow]The intervals, or a busy machine, do not tell whether B takes over {percent:g} % longer.[/]"
        )
    how = "[bold red]B takes over" if slower else "[bold green]B does not take over"
    return f"{how} {percent:g} % longer.[/]"


def _side(model: ComparedModel) -> str:
    between = "" if model.interval_ms is None else " ({:.3f} to {:.3f})".format(*model.interval_ms)
    return f"{plain(model.model)}: [bold]{model.latency_ms:.3f} ms[/bold]{between}"


def _difference(found: Comparison) -> str:
    how = "predicted" if found.predicted else "measured"
    simulated = " (SIMULATED: nothing was timed)" if found.device.simulated else ""
    noise = "; the 95 % intervals overlap, so this may be noise" if found.intervals_overlap else ""
    return (
        f"{how} on {found.device.name}{simulated}: B takes {found.b.latency_ms / found.a.latency_ms:.2f} times as "
        f"long, {found.difference_ms:+.3f} ms{noise}"
    )
