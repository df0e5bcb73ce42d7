"""``latseg profile``: the resumable measuring campaign."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Annotated

import typer

from devices.protocol import MeasurementProtocol
from latseg.console import Console, table
from latseg.model_shapes import shapes_of
from latseg.options import DeviceOption, SeedOption, ShapesOption, SizesOption, SpaceOption, ThreadsOption
from latseg.units import parse_sizes
from latseg.workspace import Workspace
from search.spaces.registry import open_space

if TYPE_CHECKING:
    from latency.campaign import CampaignProgress
    from latency.operators.operator import OperatorGraph
    from search.spaces.space import SearchSpace


_OPERATORS = 100
"""Unless ``--operators`` says otherwise; beside few nets none, where they took most of the time and taught nothing."""


def profile(
    context: typer.Context,
    device: DeviceOption = "cpu",
    threads: ThreadsOption = 1,
    space: SpaceOption = "portrait",
    size: SizesOption = None,
    models: Annotated[int, typer.Option("--models", min=1, help="Nets of the space to measure.")] = 150,
    operators: Annotated[
        int | None,
        typer.Option(
            "--operators",
            min=0,
            help="Single-operator models to measure.",
            show_default=f"{_OPERATORS}; none where nets are few",
        ),
    ] = None,
    minutes: Annotated[float | None, typer.Option("--minutes", min=0.0, help="Stop after this time.")] = None,
    for_models: Annotated[
        list[Path] | None,
        typer.Option("--for", metavar="MODEL.onnx", help="Only the operators of this model; may be repeated."),
    ] = None,
    shape: ShapesOption = None,
    choose: Annotated[
        bool, typer.Option("--choose/--draw", help="Few nets: choose those that tell most, or draw them at random.")
    ] = True,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Measure again what failed before.")] = False,
    seed: SeedOption = 0,
) -> None:
    """Measure nets of the space and single operators; go on where the last campaign stopped.

    With --for, only the operators of the models that are named: `fit` then knows them, and `predict` widens less.
    Ten to twenty nets will do where a prior of other devices is known; they are then chosen, not drawn.
    """
    from devices.registry import get_device
    from latency.campaign import campaign_items, operator_items, run_campaign
    from latency.campaign_choice import choose_nets
    from latency.fit import FEW_NETS
    from latency.predictors.transfer.prior_folder import prior_for

    console: Console = context.obj
    target = get_device(device, threads=threads)
    chosen = False
    if for_models:
        items = operator_items(_read(for_models, shape))
    else:
        folder = Workspace(console.workspace).prior_folder()
        others = partial(prior_for, folder, target.info()) if choose else lambda: None
        nets = choose_nets(partial(_drawn, open_space(space, parse_sizes(size)), seed), models, others)
        default = 0 if models <= FEW_NETS else _OPERATORS
        limit = default if operators is None else operators
        items, chosen = campaign_items(nets.graphs, operator_limit=limit), nets.chosen
    with Workspace(console.workspace).store() as store, console.progress(f"profile {device}") as progress:
        result = run_campaign(
            target,
            store,
            items,
            protocol=MeasurementProtocol(),
            minutes=minutes,
            seed=seed,
            retry_failed=retry_failed,
            on_progress=lambda p: progress.update(p.done, p.done + p.left, _remark(p)),
        )
    info, noise = target.info(), result.noise_floor
    document = {
        "device": info.name,
        "fingerprint": info.fingerprint,
        "hardware": info.hardware,
        "simulated": info.simulated,
        "models": result.models,
        "chosen": chosen,
        "operators": result.operators,
        "failed": result.failed,
        "left": result.left,
        "noise_floor_percent": noise.normalised_percent if noise else None,
        "raw_noise_percent": noise.raw_percent if noise else None,
        "seconds": result.seconds,
    }
    console.emit(document, lambda: table(f"Profile of {info.name}", ("what", "value"), list(document.items())))


def _remark(progress: CampaignProgress) -> str:
    latest = "failed" if progress.latency_ms is None else f"{progress.latency_ms:.2f} ms"
    return f"{latest}, {progress.failed} failed" if progress.failed else latest


def _read(models: list[Path], shapes: list[str] | None) -> list[OperatorGraph]:
    from latency.operators.from_onnx import from_onnx

    return [from_onnx(model, fixed) for model, fixed in zip(models, shapes_of(models, shapes), strict=True)]


def _drawn(space: SearchSpace, seed: int, models: int) -> list[OperatorGraph]:
    return [space.lower(architecture) for architecture in space.sample(models, Random(seed))]
