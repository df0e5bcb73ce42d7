"""``latseg train``: full training of a winner with distillation."""

from __future__ import annotations

from typing import Annotated

import typer

from latseg.console import Console, plain
from latseg.options import RunArgument, RunSeedOption, TeacherOption, UnlabelledOption, WinnerOption


def train(
    context: typer.Context,
    run: RunArgument,
    winner: WinnerOption,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the data; default: the run's.")] = None,
    teacher: TeacherOption = None,
    unlabelled: UnlabelledOption = None,
    seed: RunSeedOption = 0,  # noqa: ARG001 - the run's own seed counts
) -> None:
    """Train a winner with its teacher; continues where it was interrupted."""
    console: Console = context.obj
    trained = console.api.run(run).train(
        winner, epochs=epochs, teacher=teacher, unlabelled=unlabelled, on_note=console.remark
    )
    quality, result = trained.quality, trained.result
    document = {
        "run": run,
        "winner": winner,
        "quality": quality.to_json(),
        "data": trained.data,
        "epochs": result.epochs,
        "checkpoint": str(trained.checkpoint),
        "seconds": result.seconds,
        "notes": list(result.notes),
    }
    others = "".join(f"; {name} {value:.3f}" for name, value in quality.metrics.items() if name != quality.main)
    console.emit(
        document,
        lambda: [
            f"Winner {winner}: {quality.main} [bold]{100 * quality.value:.2f} %[/bold] on {quality.examples} "
            f"validation examples after {result.epochs} epochs{others}",
            "Continue with: " + plain(console.line("export", run, "--winner", winner)),
        ],
    )
