"""A new run: its options are checked and written to its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from latseg.console import command_line
from latseg.units import Size, as_size

if TYPE_CHECKING:
    from latseg.api import Workspace
    from search.run_config import RunConfig, TrainingOptions


@dataclass(frozen=True, slots=True)
class DataOptions:
    """The data of a run."""

    source: str
    """``synthetic``, ``synthetic:320``, ``folder:PATH`` or ``celebamask:PATH``."""
    size: Size = (256, 256)
    """Height and width to which images are resized."""
    count: int | None = None
    """Use at most so many pairs."""
    resize_masks: bool = False
    """Resize masks whose size is not that of their image."""


def new_config(
    workspace: Workspace,
    *,
    budgets: Mapping[str, float],
    data: DataOptions,
    max_parameters: int,
    space: str,
    sizes: tuple[tuple[int, int], ...] | None,
    strategy: str,
    training: TrainingOptions | None,
    threads: int | None,
    seed: int,
    **amounts: int,
) -> RunConfig:
    """Checks everything that a run needs, and writes its ``run.json``."""
    from devices.registry import get_device
    from search.new_run import new_run_id, resolve
    from search.run_config import TrainingOptions, write_config
    from search.spaces.registry import open_space
    from segmentation.data.registry import open_source

    opened = open_space(space, sizes)
    devices = {name: get_device(name, threads=threads) for name in budgets}
    for device in devices.values():
        workspace.folder.predictor(device, workspace.warn)
    size = as_size(data.size, option="--data-size")
    source = open_source(data.source, seed=seed, count=data.count, size=size, resize_masks=data.resize_masks)
    config = resolve(
        new_run_id(),
        command="",
        space=opened.name,
        sizes=sizes,
        data=source.name,
        data_size=size,
        data_count=data.count,
        resize_masks=data.resize_masks,
        classes=source.classes,
        limits=budgets,
        devices=devices,
        max_parameters=max_parameters,
        trials=amounts["trials"],
        winners=amounts["winners"],
        strategy=strategy,
        near_budget=amounts["calibration_nets"],
        seed=seed,
        effort=training or TrainingOptions(),
    )
    config = config.model_copy(update={"command": search_command(config, workspace)})
    write_config(workspace.folder.runs() / config.run, config)
    return config


def search_command(config: RunConfig, workspace: Workspace) -> str:
    """The command line that starts the same search."""
    values: list[tuple[str, Any]] = []
    for target in config.targets:
        values += [("device", target.device), ("max-latency", f"{target.maximum_ms:g}ms")]
    values += [
        ("max-params", config.max_parameters),
        ("data", config.data),
        ("data-size", config.data_size),
        ("data-count", config.data_count),
        ("space", config.space),
        *(("size", size) for size in config.sizes or ()),
        ("threads", config.targets[0].threads),
        ("strategy", config.strategy),
        ("trials", config.trials),
        ("winners", config.winners),
        ("calibration-nets", config.near_budget),
        *((_option(name), value) for name, value in config.effort.model_dump().items()),
        ("seed", config.seed),
    ]
    words = [word for name, value in values if value is not None for word in (f"--{name}", _text(value))]
    words += ["--resize-masks"] if config.resize_masks else []
    return command_line(workspace.path, "search", *words)


def _option(field: str) -> str:
    return "training-threads" if field == "threads" else field.replace("_", "-")


def _text(value: object) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
