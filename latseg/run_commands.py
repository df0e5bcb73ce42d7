"""The command lines of a run, for reports and bundles, whoever started it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latseg.units import format_latency_ms
from latseg.workspace_folder import command_line
from search.spaces.registry import is_network

if TYPE_CHECKING:
    from search.run_config import RunConfig

_Values = Sequence[tuple[str, Any]]
"""Options without their dashes and what is given to them; None is left out."""
_OF_A_SEARCH = ("supernet_steps", "winner_epochs", "evaluation_images")
"""Training options that ``train --network`` has not, or under another name."""
_OF_TRAINING = {"threads": "training-threads", "device": "training-device"}
"""Training options that have another name than the fields of the group."""


def search_command(config: RunConfig, workspace: Path) -> str:
    """The command line that starts the same search in a workspace."""
    values: _Values = [
        *(_curve(config) if config.curve else _budgets(config)),
        ("max-params", config.max_parameters),
        ("portable", ",".join(config.portable) or None),
        *_data(config),
        ("space", config.space),
        *(("size", size) for size in config.sizes or ()),
        ("threads", _threads(config)),
        ("strategy", config.strategy),
        ("evaluator", config.evaluator),
        ("supernet", config.supernet),
        ("trials", config.trials),
        ("winners", config.winners),
        ("calibration-nets", config.calibration_nets),
        *_training(config),
        ("seed", config.seed),
    ]
    return command_line(workspace, "search", *_words(values), *_flags(config))


def network_command(config: RunConfig, workspace: Path) -> str:
    """The command line that trains the same known network in a workspace."""
    values: _Values = [
        ("network", config.space),
        *(("size", size) for size in config.sizes or ()),
        *_data(config),
        ("epochs", config.training.winner_epochs),
        *_training(config, without=_OF_A_SEARCH),
        ("seed", config.seed),
    ]
    return command_line(workspace, "train", *_words(values), *_flags(config))


def bundle_command(config: RunConfig, workspace: Path, net: str, *, with_budgets: bool) -> str:
    """The commands, joined by ``&&``, that make the bundle of a net of a run.

    Args:
        config: the run.
        workspace: where the commands work.
        net: its id.
        with_budgets: whether the budgets were given to ``export``, and not to the search.
    """
    budgets = _words([*_budgets(config), ("threads", _threads(config))]) if with_budgets else []
    if is_network(config.space):
        return " && ".join([network_command(config, workspace), command_line(workspace, "export", "RUN", *budgets)])
    train = command_line(workspace, "train", "RUN", "--winner", net)
    export = command_line(workspace, "export", "RUN", "--winner", net, *budgets)
    return " && ".join([search_command(config, workspace), train, export])


def _budgets(config: RunConfig) -> _Values:
    return [
        value
        for target in config.targets
        for value in (("device", target.device), ("max-latency", format_latency_ms(target.maximum_ms)))
    ]


def _curve(config: RunConfig) -> _Values:
    budgets = ",".join(format_latency_ms(point.maximum_ms) for point in config.curve)
    return [("device", config.targets[0].device), ("budgets", budgets)]


def _data(config: RunConfig) -> _Values:
    return [("data", config.data), ("data-size", config.data_size), ("data-count", config.data_count)]


def _training(config: RunConfig, *, without: Collection[str] = ()) -> _Values:
    values = config.training.model_dump(exclude={"pretrained", *without})
    return [(_OF_TRAINING.get(name, name.replace("_", "-")), value) for name, value in values.items()]


def _threads(config: RunConfig) -> int | None:
    return max((target.threads for target in config.targets if "threads=" not in target.device), default=None)


def _words(values: _Values) -> list[str]:
    return [word for name, value in values if value is not None for word in (f"--{name}", _text(value))]


def _flags(config: RunConfig) -> list[str]:
    given = {
        "--resize-masks": config.resize_masks,
        "--allow-fallback": config.allow_fallback,
        "--from-scratch": not config.training.pretrained,
    }
    return [flag for flag, on in given.items() if on]


def _text(value: object) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
