"""The progress of a search together with that of its workers."""

from __future__ import annotations

from dataclasses import replace

from foundation.progress import OnProgress, Progress
from search.cluster.workers import Fleet


class FleetProgress:
    """A progress callback that adds the state of the workers to every moment of a search.

    Args:
        on_progress: is called with each moment, and with the latest one again where the workers' state has changed.
    """

    def __init__(self, on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self._moment: Progress | None = None
        self._fleet: Fleet | None = None

    def __call__(self, moment: Progress) -> None:
        """A moment of the search."""
        self._moment = moment
        note = ", ".join(text for text in (moment.note, str(self._fleet or "")) if text)
        self._on_progress(replace(moment, note=note))

    def tell(self, fleet: Fleet) -> None:
        """The workers' state now."""
        if fleet != self._fleet:
            self._fleet = fleet
            if self._moment is not None:
                self(self._moment)
