"""The command line of a search, for reports and bundles, whoever started it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from latseg.workspace_folder import command_line

if TYPE_CHECKING:
    from search.run_config import RunConfig


def search_command(config: RunConfig, workspace: Path) -> str:
    """The command line that starts the same search in a workspace."""
    threads = [target.threads for target in config.targets if "threads=" not in target.device]
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
        ("threads", max(threads, default=None)),
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
    return command_line(workspace, "search", *words)


def _option(field: str) -> str:
    return "training-threads" if field == "threads" else field.replace("_", "-")


def _text(value: object) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
