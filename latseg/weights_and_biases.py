"""Curves for Weights & Biases."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from typing_extensions import override

from foundation.errors import UserError
from latseg.tracker import Tracker


class WandbTracker(Tracker):
    """A run of the project for each series; all series of a run of latseg are one group.

    A series that goes on is the same run again. Weights & Biases ignores steps that it has already.

    Args:
        project: of Weights & Biases.
        group: id of the run of latseg.

    Raises:
        UserError: the package wandb is not installed.
    """

    def __init__(self, project: str, group: str) -> None:
        try:
            import wandb
        except ImportError as error:
            raise UserError(
                "Weights & Biases", seen="no such package", expected="the package wandb",
                remedy='run pip install "latseg[wandb]"',
            ) from error  # fmt: skip
        self._wandb, self._project, self._group = wandb, project, group
        self._run: Any = None

    @override
    def start(self, name: str, config: Mapping[str, Any], step: int) -> None:
        with self._user_errors():
            self._run = self._wandb.init(
                project=self._project,
                group=self._group,
                name=name,
                id=re.sub(r"[^\w-]", "_", f"{self._group}-{name}"),
                resume="allow",
                reinit="create_new",  # that of the trials and that of a training are open at the same time
                config=dict(config),
            )

    @override
    def log(self, values: Mapping[str, float], step: int) -> None:
        with self._user_errors():
            self._run.log(dict(values), step=step)

    @override
    def finish(self) -> None:
        with self._user_errors():
            self._run.finish()

    @contextmanager
    def _user_errors(self) -> Iterator[None]:
        try:
            yield
        except self._wandb.Error as error:
            raise UserError(
                "Weights & Biases", seen=str(error) or type(error).__name__, expected="a project that can be written",
                remedy="log in with `wandb login`, or leave --wandb out",
            ) from error  # fmt: skip
