"""What rejected winners teach: the bound of a device grows by what they took beyond their prediction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from devices.measurement import FailedMeasurement, Measurement
from latency.bounded import BoundedPredictor
from search.architecture import Architecture
from search.constraints.budgets import Budgets
from search.spaces.space import SearchSpace
from search.trial import REJECTED
from search.trials import TrialStore


class RejectionFeedback:
    """A ``search.winners.selection.FeedBack``; ``budgets`` are those as they stand now.

    Args:
        space: of the architectures.
        classes: of the nets.
        budgets: with the predictors as they were fitted.
    """

    def __init__(self, space: SearchSpace, classes: int, budgets: Budgets) -> None:
        self.budgets = budgets
        self._space = space
        self._classes = classes

    def __call__(
        self, architecture: Architecture, measurements: Mapping[str, Measurement | FailedMeasurement]
    ) -> Budgets:
        """Learns from a rejection, by device; returns the budgets that follow."""
        found = {name: one.latency_ms for name, one in measurements.items() if isinstance(one, Measurement)}
        return self._learn(architecture, found)

    def replay(self, trials: TrialStore) -> Budgets:
        """Learns once more, in their order, what the rejections of an interrupted search had taught."""
        known = {trial.id: trial for trial in trials.trials()}
        for trial in (known[identity] for identity in trials.measured()):
            if trial.status == REJECTED:
                self._learn(trial.architecture, trial.measured_ms)
        return self.budgets

    def _learn(self, architecture: Architecture, measured_ms: Mapping[str, float]) -> Budgets:
        graph = self._space.lower(architecture, classes=self._classes)
        latencies = []
        for budget in self.budgets.latencies:
            found, predictor = measured_ms.get(budget.device), budget.predictor
            if found is not None and isinstance(predictor, BoundedPredictor):
                ratio = found / predictor.predict([graph])[0].latency_ms
                budget = replace(budget, predictor=predictor.recalibrated([ratio]))  # noqa: PLW2901
            latencies.append(budget)
        self.budgets = replace(self.budgets, latencies=tuple(latencies))
        return self.budgets
