"""``latseg transfer``: a winner of a run is trained for another task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from latseg.console import Console, plain, table
from latseg.option_groups import one_of
from latseg.options import DataGroup, RunArgument, TrainingDeviceOption
from segmentation.data.classified.registry import CLASSIFIED
from segmentation.data.registry import SOURCES

if TYPE_CHECKING:
    from rich.console import RenderableType

    from latseg.transfers import TransferredNet


@dataclass(frozen=True, slots=True)
class OtherData(DataGroup):
    """The data of the other task."""

    data: Annotated[
        str | None,
        typer.Option(help=f"{one_of(SOURCES.names)}; or classified pictures: {one_of(CLASSIFIED.names)}."),
    ] = None


def transfer(
    context: typer.Context,
    run: RunArgument,
    data: OtherData,
    winner: Annotated[
        str | None,
        typer.Option("--winner", "-w", help="Id of a net of the run. Default: the best winner, or the known network."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the data; default: the run's.")] = None,
    teacher_epochs: Annotated[
        int | None, typer.Option(min=0, help="Epochs of the teacher; 0: no teacher; default: the run's.")
    ] = None,
    from_scratch: Annotated[
        bool,
        typer.Option("--from-scratch", help="Begin with random weights, and not with those of the trained winner."),
    ] = False,
    predicted: Annotated[
        bool, typer.Option("--predicted", help="Predict the latency and its bound instead of measuring it.")
    ] = False,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**32 - 1, help="Seed of every random choice; default: the run's.")
    ] = None,
    training_device: TrainingDeviceOption = None,
) -> None:
    """Train a winner for another task: other classes, or whole pictures; continues where it was interrupted."""
    console: Console = context.obj
    found = console.api.run(run).transfer(
        data.checked(),
        winner,
        epochs=epochs,
        teacher_epochs=teacher_epochs,
        from_scratch=from_scratch,
        predicted=predicted,
        seed=seed,
        training_device=training_device,
        on_note=console.remark,
    )
    console.emit({**found.to_json(), "warnings": console.warnings}, lambda: _rendered(found))


def _rendered(found: TransferredNet) -> list[RenderableType]:
    record, rows = found.result.record, found.rows
    height, width = record.input_size
    title = f"{record.winner} of run {found.run} on {record.data}, input {height} x {width}"
    examples = record.results[0].examples
    return [
        table(title, rows.columns, [list(row.values()) for row in rows]),
        plain(f"Scores from 0 to 1 on {examples} validation pictures. Weights and result: {found.folder}"),
    ]
