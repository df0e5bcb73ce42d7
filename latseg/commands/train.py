"""``latseg train``: full training of a winner with distillation."""

from __future__ import annotations

from typing import Annotated

import typer

from latseg.console import Console
from latseg.options import RunArgument, RunSeedOption, WinnerOption


def train(
    context: typer.Context,
    run: RunArgument,
    winner: WinnerOption,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the data; default: the run's.")] = None,
    seed: RunSeedOption = 0,  # noqa: ARG001 - the run's own seed counts
) -> None:
    """Train a winner with its teacher; continues where it was interrupted."""
    console: Console = context.obj
    trained = console.api.run(run).train(winner, epochs=epochs)
    quality, result = trained.quality, trained.result
    document = {
        "run": run,
        "winner": winner,
        "quality": quality.to_json(),
        "data": trained.data,
        "epochs": result.epochs,
        "checkpoint": str(result.checkpoint),
        "seconds": result.seconds,
    }
    f1 = ", ".join(
        f"{name} {score:.3f}"
        for name, score in zip(trained.run.config.classes, quality.f1_per_class, strict=True)
        if score
    )
    console.emit(
        document,
        lambda: (
            f"Winner {winner}: mean IoU [bold]{100 * quality.mean_iou:.2f} %[/bold] on {quality.images} validation "
            f"images after {result.epochs} epochs; F1 by class: {f1}"
        ),
    )
