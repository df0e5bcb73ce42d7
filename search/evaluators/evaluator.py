"""The contract of an evaluator: how good is an architecture, before it is trained in full."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from search.architecture import Architecture
from search.constraints.feasible_sampler import FeasibleSampler
from search.progress import OnProgress, ignore_progress


class Evaluator(ABC):
    """Estimates quality. It is only ever given architectures that keep every budget."""

    name: str

    @abstractmethod
    def prepare(self, sampler: FeasibleSampler, on_progress: OnProgress = ignore_progress) -> None:
        """Does what must be done once before the first estimate, such as training a supernet.

        Called again after an interruption; it goes on where it stopped, and does nothing where it was finished.

        Args:
            sampler: draws architectures that keep the budgets; no others need to be prepared for.
            on_progress: is told about the work.
        """

    @abstractmethod
    def quality(self, architectures: Sequence[Architecture]) -> list[float]:
        """Estimates in the order given, from 0 (useless) to 1 (perfect); equal for equal architectures."""
