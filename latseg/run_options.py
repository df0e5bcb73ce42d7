"""A new run: its options are checked and written to its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from latseg.console import command_line
from latseg.units import Size, as_size

if TYPE_CHECKING:
    from latseg.api import Workspace
    from search.options import TrainingOptions
    from search.run_config import RunConfig


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
    training: TrainingOptions | None,
    threads: int | None,
    **how: Any,
) -> RunConfig:
    """The configuration of a new run; ``how`` are fields of ``search.options.SearchOptions``."""
    from search import options
    from search.run_config import RunConfig

    config = RunConfig.create(
        options.BudgetOptions(latency_ms=tuple(budgets.items()), parameters=max_parameters, threads=threads),
        options.DataOptions(
            source=data.source,
            size=as_size(data.size, option="--data-size"),
            count=data.count,
            resize_masks=data.resize_masks,
        ),
        training,
        options.SearchOptions(**how),
    )
    return config.model_copy(update={"command": search_command(config, workspace)})


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
        ("evaluator", config.evaluator),
        ("trials", config.trials),
        ("winners", config.winners),
        ("calibration-nets", config.calibration_nets),
        *((_option(name), value) for name, value in config.training.model_dump().items()),
        ("seed", config.seed),
    ]
    words = [word for name, value in values if value is not None for word in (f"--{name}", _text(value))]
    words += ["--resize-masks"] if config.resize_masks else []
    return command_line(workspace.path, "search", *words)


def _option(field: str) -> str:
    return "training-threads" if field == "threads" else field.replace("_", "-")


def _text(value: object) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
