"""``latseg search``: the search under hard budgets."""

from __future__ import annotations

import shlex
import sys
from typing import Annotated, Any

import typer

from foundation.errors import UserError
from latseg.budget_options import open_budgets, open_targets, parse_limits
from latseg.commands.verify import VERIFICATION_FAILED
from latseg.console import Console
from latseg.options import (
    DevicesOption,
    LatencyOption,
    ParametersOption,
    SeedOption,
    SizesOption,
    SpaceOption,
    ThreadsOption,
)
from latseg.output.search import drawn_search, search_document
from latseg.units import parse_size, parse_sizes
from latseg.workspace import Workspace
from search.spaces.registry import open_space

DATA_SIZE = "256x256"


def search(
    context: typer.Context,
    device: DevicesOption = None,
    max_latency: LatencyOption = None,
    max_params: ParametersOption = "0.4M",
    data: Annotated[str | None, typer.Option(help="synthetic, folder:PATH or celebamask:PATH.")] = None,
    near_budget: Annotated[
        int, typer.Option(min=0, help="Random nets to measure near each latency budget first; 0: none.")
    ] = 10,
    strategy: Annotated[str, typer.Option(help="evolution or random.")] = "evolution",
    trials: Annotated[int, typer.Option(min=1, help="Architectures to evaluate.")] = 200,
    winners: Annotated[int, typer.Option(min=1, help="Winners to certify.")] = 1,
    space: SpaceOption = "portrait",
    size: SizesOption = None,
    threads: ThreadsOption = 1,
    data_size: Annotated[str, typer.Option(help="HEIGHTxWIDTH to which images are brought.")] = DATA_SIZE,
    data_count: Annotated[int | None, typer.Option(min=4, help="Use at most so many pairs.")] = None,
    resize_masks: Annotated[bool, typer.Option("--resize-masks", help="Resize masks of another size.")] = False,
    teacher_epochs: Annotated[int, typer.Option(min=0, help="Training of the teacher; 0: no teacher.")] = 12,
    supernet_steps: Annotated[int, typer.Option(min=1, help="Training of the supernet.")] = 400,
    winner_epochs: Annotated[int, typer.Option(min=1, help="Default of `latseg train`.")] = 30,
    training_size: Annotated[str | None, typer.Option(help="HEIGHTxWIDTH at which the teacher is trained.")] = None,
    batch_size: Annotated[int, typer.Option(min=2, help="Images in a training step.")] = 8,
    evaluation_images: Annotated[int, typer.Option(min=1, help="Validation images that judge a trial.")] = 48,
    training_threads: Annotated[int, typer.Option(min=1, help="Threads of PyTorch.")] = 2,
    resume: Annotated[str | None, typer.Option("--resume", metavar="RUN", help="Go on with this run.")] = None,
    seed: SeedOption = 0,
) -> None:
    """Search the best net within the budgets; winners are measured on the device and certified or rejected."""
    from search.new_run import new_run_id, resolve
    from search.run_config import TrainingOptions, write_config

    console: Console = context.obj
    workspace = Workspace(console.workspace)
    if resume is not None:
        _refuse_changes(context)
        go_on(console, resume)
        return
    limits = parse_limits(device, max_latency, max_params)
    if data is None:
        raise UserError(
            "--data", seen="nothing", expected="a source of data", remedy="write for example --data synthetic"
        )
    opened, targets = open_space(space, parse_sizes(size)), open_targets(limits, threads)
    open_budgets(console, limits, targets)
    shape = parse_size(data_size, option="--data-size")
    source = _source(data, data_count, shape, resize_masks, seed)
    effort = TrainingOptions(
        teacher_epochs=teacher_epochs,
        supernet_steps=supernet_steps,
        winner_epochs=winner_epochs,
        batch_size=batch_size,
        evaluation_images=evaluation_images,
        training_size=parse_size(training_size, option="--training-size") if training_size else None,
        threads=training_threads,
    )
    config = resolve(
        new_run_id(),
        command=shlex.join(["latseg", *sys.argv[1:]]),
        space=opened.name,
        sizes=tuple(parse_size(text) for text in size) if size else None,
        data=source.name,
        data_size=shape,
        data_count=data_count,
        resize_masks=resize_masks,
        classes=source.classes,
        limits=dict(limits.latency_ms),
        devices=targets,
        max_parameters=limits.parameters,
        trials=trials,
        winners=winners,
        strategy=_strategy(strategy),
        near_budget=near_budget,
        seed=seed,
        effort=effort,
    )
    write_config(workspace.runs() / config.run, config)
    go_on(console, config.run)


def go_on(console: Console, run: str) -> dict[str, Any]:
    """Starts the run's search or goes on with it, and prints what it found; exit code 4 where nothing won."""
    from latseg.runs import open_run_context
    from search.launch import launch

    console.resume_hint = console.line("search", "--resume", run)
    workspace = Workspace(console.workspace)
    with open_run_context(console, run, f"search {run}") as session:
        predictors = {name: workspace.predictor(device, console.warn) for name, device in session.devices.items()}
        result = launch(session, predictors)
    document = {**search_document(run, result), "warnings": console.warnings}
    console.emit(document, lambda: drawn_search(console, run, result))
    if not result.winners:
        raise typer.Exit(VERIFICATION_FAILED)
    return document


def _refuse_changes(context: typer.Context) -> None:
    """A run goes on as it began; options that would be ignored are not taken."""
    given = [
        name
        for name in context.params
        if name != "resume" and getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    ]
    if given:
        option = f"--{given[0].replace('_', '-')}"
        raise UserError(
            f"{option} with --resume", seen="both", expected="--resume RUN alone: a run goes on as it began",
            remedy=f"leave {option} out, or start a new run",
        )  # fmt: skip


def _source(data: str, count: int | None, size: tuple[int, int], resize_masks: bool, seed: int) -> Any:
    from segmentation.data.sources import open_source

    return open_source(data, seed=seed, count=count, size=size, resize_masks=resize_masks)


def _strategy(name: str) -> str:
    from search.strategies.registry import strategy_names

    if name not in strategy_names():
        expected = " or ".join(strategy_names())
        raise UserError(
            "--strategy", seen=repr(name), expected=expected, remedy=f"write --strategy {strategy_names()[0]}"
        )
    return name
