"""Curves for TensorBoard."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from typing_extensions import override

from foundation.errors import UserError
from latseg.tracker import Tracker

_FLUSH_S = 10
"""A browser that shows a running training is at most so far behind."""


class TensorBoardTracker(Tracker):
    """Event files below a folder, each series in a sub-folder of its name; the configuration is not logged.

    Raises:
        UserError: TensorBoard is not installed, or the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise UserError(
                "TensorBoard", seen="no such package", expected="the package tensorboard",
                remedy='run pip install "latseg[tensorboard]"',
            ) from error  # fmt: skip
        self._folder, self._open = folder, SummaryWriter
        self._writer: Any = None
        with self._user_errors():
            folder.mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK):
                raise PermissionError(13, "no permission to write")

    @override
    def start(self, name: str, config: Mapping[str, Any], step: int) -> None:
        path = self._folder / re.sub(r"[^\w -]", "_", name)
        # Of a training that is repeated from here, TensorBoard drops what was written before.
        with self._user_errors():
            self._writer = self._open(str(path), purge_step=step, flush_secs=_FLUSH_S)

    @override
    def log(self, values: Mapping[str, float], step: int) -> None:
        with self._user_errors():
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)

    @override
    def finish(self) -> None:
        with self._user_errors():
            self._writer.close()

    @contextmanager
    def _user_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UserError(
                "TensorBoard folder", seen=f"{self._folder}: {error.strerror or error}",
                expected="a folder that can be written", remedy="free space, or name another folder",
            ) from error  # fmt: skip
