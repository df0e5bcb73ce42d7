"""Progress on stderr: a bar on a terminal, elsewhere (a file, a notebook) a line for every fifth of the work."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from foundation.progress import OnProgress, Progress, ignore_progress

ProgressOption = bool | Callable[[Progress], None]
"""True shows a bar, False nothing; a function is called with each ``foundation.progress.Progress``."""


@contextmanager
def shown_progress(description: str, option: ProgressOption) -> Iterator[OnProgress]:
    """The callback for one piece of long work."""
    if callable(option):
        yield option
        return
    if not option:
        yield ignore_progress
        return
    bar = _Bar(description)
    try:
        yield bar.update
    finally:
        bar.close()


class _Bar:
    def __init__(self, description: str) -> None:
        self._description = description
        self._bar: Any = None
        self._task: Any = None
        self._printed: tuple[str, int] | None = None

    def update(self, progress: Progress) -> None:
        """Shows what is done, what is left, and the note."""
        name = f"{self._description}: {progress.stage}" if progress.stage else self._description
        if sys.stderr.isatty():
            self._draw(name, progress)
            return
        fifth = int(5 * progress.done / progress.total) if progress.total else 0
        if (progress.stage, fifth) != self._printed:
            self._printed = (progress.stage, fifth)
            sys.stderr.write(f"{name} {progress.done:.0f}/{progress.total:.0f} {progress.note}".rstrip() + "\n")
            sys.stderr.flush()

    def close(self) -> None:
        """Leaves the last state on the screen."""
        if self._bar is not None:
            with suppress(IndexError):  # of a live display that an interrupt left half started
                self._bar.stop()

    def _draw(self, name: str, progress: Progress) -> None:
        if self._bar is None:
            self._bar = _rich_progress()
            self._bar.start()
            self._task = self._bar.add_task(name, total=progress.total, note="")
        self._bar.update(
            self._task, completed=progress.done, total=progress.total, note=progress.note, description=name
        )


def _rich_progress() -> Any:
    from rich.console import Console as RichConsole
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    return RichProgress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=RichConsole(stderr=True),
    )
