"""Training as TensorBoard shows it: loss, learning rate and mean IoU by update, a TensorBoard run for each stage."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from foundation.errors import UserError
from foundation.interruption import uninterrupted
from foundation.progress import OnProgress, Progress

SCALARS = ("loss", "learning_rate", "mean_iou")
"""Fields of ``search.progress.SearchProgress``, and tags in TensorBoard; mean IoU is that on the validation part."""
_FLUSH_S = 10
"""A browser that shows a running training is at most so far behind."""


@contextmanager
def logged(folder: Path, on_progress: OnProgress) -> Iterator[OnProgress]:
    """The callback that writes the scalars of trainings below ``folder`` and passes each moment to ``on_progress``.

    The sub-folder is that of the stage, such as ``teacher``. A training that goes on at an earlier update than was
    written replaces what came after. A moment without scalars is only passed on.

    Raises:
        UserError: TensorBoard is not installed, or the folder cannot be written.
    """
    scalars = _Scalars(folder)

    def report(progress: Progress) -> None:
        scalars.write(progress)
        on_progress(progress)

    try:
        yield report
    finally:
        scalars.close()


class _Scalars:
    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise UserError(
                "TensorBoard", seen="no such package", expected="the package tensorboard",
                remedy='run pip install "latseg[tensorboard]"',
            ) from error  # fmt: skip
        self._folder, self._open = folder, SummaryWriter
        self._stage = ""
        self._writer: Any = None
        with self._user_errors():
            folder.mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK):
                raise PermissionError(13, "no permission to write")

    def write(self, progress: Progress) -> None:
        """Writes the scalars of a moment, where it has some."""
        moment = getattr(progress, "training", None) or progress
        values = {name: getattr(moment, name, None) for name in SCALARS}
        known = {name: value for name, value in values.items() if value is not None}
        if not known:
            return
        with self._user_errors(), uninterrupted():
            if self._writer is None or self._stage != moment.stage:
                self._begin(moment)
            for name, value in known.items():
                self._writer.add_scalar(name, value, moment.done)

    def close(self) -> None:
        """Writes what is still in memory."""
        if self._writer is not None:
            with self._user_errors(), uninterrupted():
                writer, self._writer = self._writer, None
                writer.close()

    def _begin(self, moment: Progress) -> None:
        self.close()
        path = self._folder / re.sub(r"[^\w -]", "_", moment.stage)
        # Of a training that is repeated from here, TensorBoard drops what was written before.
        self._writer = self._open(str(path), purge_step=moment.done, flush_secs=_FLUSH_S)
        self._stage = moment.stage

    @contextmanager
    def _user_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UserError(
                "TensorBoard folder", seen=f"{self._folder}: {error.strerror or error}",
                expected="a folder that can be written", remedy="free space, or name another folder",
            ) from error  # fmt: skip
