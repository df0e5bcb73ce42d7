"""Where log records go: stderr with ``-v`` and ``-vv``, and a file with ``--log-file``."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from foundation.errors import UserError

PACKAGES = ("foundation", "devices", "latency", "segmentation", "graphs", "search", "export", "latseg")
_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)
_LINE = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to the ``sys.stderr`` of the moment, which a progress bar replaces while it is shown."""

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, value: TextIO) -> None:
        pass


@contextmanager
def logging_to(verbosity: int, file: Path | None) -> Iterator[None]:
    """Shows the records of latseg's packages while the block runs.

    Args:
        verbosity: on stderr; 0 warnings, 1 what is done (INFO), 2 details (DEBUG).
        file: receives all records down to DEBUG; appended to.

    Raises:
        UserError: the file cannot be written.
    """
    if not verbosity and file is None:
        yield
        return
    handlers: list[logging.Handler] = [_Stderr()]
    handlers[0].setLevel(_LEVELS[min(verbosity, 2)])
    if file is not None:
        handlers.append(_file_handler(file))
    lowest = min(handler.level for handler in handlers)
    root, loggers = logging.getLogger(), [logging.getLogger(name) for name in PACKAGES]
    before = [logger.level for logger in loggers]
    for handler in handlers:
        handler.setFormatter(logging.Formatter(_LINE, datefmt="%H:%M:%S"))
        root.addHandler(handler)
    for logger in loggers:
        logger.setLevel(lowest)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()


def _file_handler(file: Path) -> logging.Handler:
    try:
        handler = logging.FileHandler(file, encoding="utf-8")
    except OSError as error:
        raise UserError(
            "--log-file", seen=f"{file} ({error.strerror})", expected="a file that can be written",
            remedy="choose a path in a folder that exists",
        ) from error  # fmt: skip
    handler.setLevel(logging.DEBUG)
    return handler
