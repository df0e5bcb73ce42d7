"""A first look at a run's data, written before anything is measured or trained."""

from __future__ import annotations

import logging
from pathlib import Path

from foundation.atomic_file import write_file
from search.run_context import RunContext

_logger = logging.getLogger(__name__)


def write_first_look(context: RunContext) -> Path | None:
    """Writes a few labelled examples into the run's folder, with pictures and as labels alone, unless it has them.

    Returns:
        The PNG with pictures; None where the task has none.

    Raises:
        UserError: the data cannot be read.
    """
    for photographs in (True, False):
        path = context.folder.first_look(photographs=photographs)
        if path.exists():
            continue
        png = context.task.first_look(photographs=photographs)
        if png is None:
            return None
        write_file(path, png)
    path = context.folder.first_look()
    _logger.info("first look at the data: %s", path)
    return path
