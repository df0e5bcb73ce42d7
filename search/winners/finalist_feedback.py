"""Recalibration by measured candidates: a device's bound follows their ratios of measurement to prediction."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from latency.bounded import BoundedPredictor
from search.architecture import Architecture
from search.constraints.budgets import Budgets, LatencyBudget
from search.spaces.space import SearchSpace
from search.trial import Trial

_logger = logging.getLogger(__name__)


class FinalistFeedback:
    """A ``search.winners.selection.Recalibrate``; ``budgets`` are the current ones.

    The bounds follow from the measured candidates alone, whether they were measured now or before an interruption.

    Args:
        space: of the candidates.
        budgets: with the predictors as the search began with them.
    """

    def __init__(self, space: SearchSpace, budgets: Budgets) -> None:
        self.budgets = budgets
        self._space = space
        self._first = budgets
        self._predicted_ms: dict[tuple[str, Architecture], float] = {}

    def __call__(self, measured: Sequence[Trial]) -> Budgets:
        """Calibrates the bound of each device on the candidates that it measured, in their order."""
        latencies = tuple(self._recalibrated(budget, measured) for budget in self._first.latencies)
        self.budgets = replace(self._first, latencies=latencies)
        return self.budgets

    def _recalibrated(self, budget: LatencyBudget, measured: Sequence[Trial]) -> LatencyBudget:
        predictor, device = budget.predictor, budget.device
        trials = [trial for trial in measured if device in trial.measured_ms]
        if not trials or not isinstance(predictor, BoundedPredictor):
            return budget
        ratios = [trial.measured_ms[device] / self._predicted(device, predictor, trial) for trial in trials]
        recalibrated = predictor.recalibrated(ratios)
        _logger.info(
            "bound on %s after %d measured candidates: %.3f times the prediction, at first %.3f",
            device, len(ratios), recalibrated.calibration.factor, predictor.calibration.factor,
        )  # fmt: skip
        return replace(budget, predictor=recalibrated)

    def _predicted(self, device: str, predictor: BoundedPredictor, trial: Trial) -> float:
        key = (device, trial.architecture)
        if key not in self._predicted_ms:
            graph = self._space.lower(trial.architecture)
            self._predicted_ms[key] = predictor.predict([graph])[0].latency_ms
        return self._predicted_ms[key]
