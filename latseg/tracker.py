"""The contract of a tracker: where the curves of trainings and of a search's trials are logged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any


class Tracker(ABC):
    """Logs one series of curves after another; each is a run in the sense of TensorBoard and of Weights & Biases.

    The constructor raises ``UserError`` where its package is missing; every method where it cannot log.
    """

    @abstractmethod
    def start(self, name: str, config: Mapping[str, Any], step: int) -> None:
        """Begins a series, or goes on with the one of this name.

        Args:
            name: such as ``search`` or ``teacher``.
            config: what ``run.json`` says of the run, without the places of its data.
            step: the first one that follows; what was logged from there on is replaced, where the tracker can.
        """

    @abstractmethod
    def log(self, values: Mapping[str, float], step: int) -> None:
        """Adds values by name; steps count from 1 and do not decrease."""

    @abstractmethod
    def finish(self) -> None:
        """Ends the series that was started, with everything written."""
