"""Who follows a search or a training: trackers of its curves, and a mirror of its trials."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from foundation.progress import OnProgress
from latseg.tensorboard import TensorBoardTracker
from latseg.tracker import Tracker
from latseg.tracking import tracked
from latseg.weights_and_biases import WandbTracker
from search.optuna_mirror import mirrored
from search.run_config import RunConfig
from search.run_folder import RunFolder
from search.shared_run import shared_run

Follower = Callable[[OnProgress], AbstractContextManager[OnProgress]]
"""Sees the moments of some work, and passes them on."""


def trackers(config: RunConfig, tensorboard: str | Path | None, wandb: str | None) -> list[Follower]:
    """Those of a run that were asked for: a folder for TensorBoard, a project of Weights & Biases."""
    makers: list[Callable[[], Tracker]] = []
    if tensorboard is not None:
        makers.append(partial(TensorBoardTracker, Path(tensorboard) / config.run))
    if wandb is not None:
        makers.append(partial(WandbTracker, wandb, config.run))
    shared = shared_run(config).model_dump(mode="json", by_alias=True, exclude={"command"})  # it names folders
    return [partial(tracked, make, shared) for make in makers]


def mirrors(config: RunConfig, folder: Path, url: str | None, warn: Callable[[str], None]) -> list[Follower]:
    """That of a search in an Optuna storage, where one was asked for."""
    return [] if url is None else [partial(mirrored, url, config, RunFolder(folder), warn)]
