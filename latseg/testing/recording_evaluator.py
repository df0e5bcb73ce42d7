"""An evaluator with a formula for quality."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from foundation.progress import OnProgress, ignore_progress
from latseg.testing.formula_trials import Quality
from search.architecture import Architecture
from search.constraints.feasible_sampler import FeasibleSampler
from search.evaluators.evaluator import Evaluator
from search.spaces.space import SearchSpace


class RecordingEvaluator(Evaluator):
    """Remembers what it was asked, and may be interrupted.

    Args:
        space: of the architectures.
        formula: quality of an architecture, from 0 to 1.
        like: an evaluator whose task and folder it has; None for none.
        stop_after: estimates before a ``KeyboardInterrupt``; None for never.
    """

    name = "recording"

    def __init__(
        self, space: SearchSpace, formula: Quality, *, like: Evaluator | None = None, stop_after: int | None = None
    ) -> None:
        self.space = space
        self.seed = 0
        if like is not None:
            self.task, self.folder = like.task, like.folder
        self.asked: list[Architecture] = []
        self._formula = formula
        self._stop_after = stop_after

    @override
    def prepare(self, sampler: FeasibleSampler, on_progress: OnProgress = ignore_progress) -> None:
        pass

    @override
    def quality(self, architectures: Sequence[Architecture]) -> list[float]:
        found = []
        for architecture in architectures:
            if len(self.asked) == self._stop_after:
                raise KeyboardInterrupt
            self.asked.append(architecture)
            found.append(self._formula(architecture))
        return found

    @override
    def weights(self, architecture: Architecture) -> None:
        return None
