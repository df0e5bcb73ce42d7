"""``latseg train``: full training of a winner, or of a known network, with distillation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from foundation.errors import UserError
from latseg.console import Console, plain
from latseg.network_options import NetworkOptions
from latseg.option_groups import refuse_other_options
from latseg.options import (
    DataGroup,
    RecipeGroup,
    SeedOption,
    TensorboardOption,
    WandbOption,
    WinnerOption,
    followed_words,
)

if TYPE_CHECKING:
    from latseg.run_handle import RunHandle

_OF_A_RUN = ("run", "winner", "epochs", "teacher", "unlabelled", "training_device", "seed", "tensorboard", "wandb")
"""Options of a run that is there; its own seed counts."""


def train(
    context: typer.Context,
    network: NetworkOptions,
    data: DataGroup,
    training: RecipeGroup,
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="Id of a run: train a winner of it.")] = None,
    winner: WinnerOption = None,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Passes over the data; default: the run's; of --network 30, more for few pairs."),
    ] = None,
    seed: SeedOption = 0,
    tensorboard: TensorboardOption = None,
    wandb: WandbOption = None,
) -> None:
    """Train a winner of a run, or a known network; continues where it was interrupted.

    RUN with --winner trains a winner. --network with --data and --size begins a run of its own; its id continues it.
    """
    console: Console = context.obj
    if run is None:
        handle, teaching = _new_run(console, network, data, training, epochs, seed), {}
        console.resume_hint = console.line("train", handle.id, *followed_words(tensorboard, wandb))
    else:
        expected = (
            "only --winner, --epochs, --teacher, --unlabelled, --training-device, --tensorboard and --wandb: "
            "a run has its own options"
        )
        refuse_other_options(context, _OF_A_RUN, "RUN", expected)
        handle = console.api.run(run)
        teaching = {
            "teacher": training.teacher,
            "unlabelled": training.unlabelled,
            "training_device": training.training_device,
        }
    trained = handle.train(
        winner, epochs=epochs, tensorboard=tensorboard, wandb=wandb, on_note=console.remark, **teaching
    )
    quality, result, net = trained.quality, trained.result, trained.trial.id
    known = handle.network
    document = {
        "run": handle.id,
        "network": known and known.space,
        "winner": net,
        "quality": quality.to_json(),
        "data": trained.data,
        "epochs": result.epochs,
        "checkpoint": str(trained.checkpoint),
        "seconds": result.seconds,
        "notes": list(result.notes),
    }
    others = "".join(f"; {name} {value:.3f}" for name, value in quality.metrics.items() if name != quality.main)
    title = f"Winner {net}" if known is None else plain(known.space)
    then = ["--winner", net] if known is None else ["--max-latency", "LIMIT"]
    console.emit(
        document,
        lambda: [
            f"{title}: {quality.main} [bold]{100 * quality.value:.2f} %[/bold] on {quality.examples} "
            f"validation examples after {result.epochs} epochs{others}",
            "Continue with: " + plain(console.line("export", handle.id, *then)),
        ],
    )


def _new_run(
    console: Console,
    network: NetworkOptions,
    data: DataGroup,
    training: RecipeGroup,
    epochs: int | None,
    seed: int,
) -> RunHandle:
    if network.network is None:
        raise UserError(
            "train", seen="neither a run nor a network", expected="RUN with --winner, or --network with --data",
            remedy="name one of them",
        )  # fmt: skip
    options = training.checked()
    if epochs is not None:
        options = options.model_copy(update={"winner_epochs": epochs})
    size = network.checked_size()
    handle = console.api.network(network.network, data=data.checked(), size=size, training=options, seed=seed)
    for note in handle.config.data_notes:
        console.remark(f"data: {note}")
    return handle
