"""How long work reports what is done and what is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """A moment of some long work. What a package knows beyond this, it adds in a subclass."""

    stage: str
    """What is being done, in a word or two."""
    done: int
    total: int
    """Steps; the same unit as ``done``."""
    note: str = ""
    """The best so far, or the item that is running."""


OnProgress = Callable[[Progress], None]


def ignore_progress(progress: Progress) -> None:
    """The callback of a caller that does not want progress."""
