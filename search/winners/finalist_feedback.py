"""Recalibration by measured finalists: the bound of a device follows their ratios of measurement to prediction."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

from devices.measurement import Measurement
from latency.bounded import BoundedPredictor
from search.architecture import Architecture
from search.constraints.budgets import Budgets
from search.spaces.space import SearchSpace
from search.trials import TrialStore
from search.winners.selection import Measurements

_logger = logging.getLogger(__name__)


class FinalistFeedback:
    """A ``search.winners.selection.Recalibrate``; ``budgets`` are the current ones.

    Args:
        space: of the architectures.
        budgets: with the predictors as they were fitted.
    """

    def __init__(self, space: SearchSpace, budgets: Budgets) -> None:
        self.budgets = budgets
        self._space = space

    def __call__(self, architecture: Architecture, measurements: Measurements) -> Budgets:
        """Recalibrates the bounds of the devices that measured the net; returns the resulting budgets."""
        measured = {name: one.latency_ms for name, one in measurements.items() if isinstance(one, Measurement)}
        return self._recalibrate(architecture, measured)

    def replay(self, trials: TrialStore) -> Budgets:
        """Repeats, in order, the recalibrations of an interrupted search."""
        for trial in trials.measured_trials():
            self._recalibrate(trial.architecture, trial.measured_ms)
        return self.budgets

    def _recalibrate(self, architecture: Architecture, measured_ms: Mapping[str, float]) -> Budgets:
        graph = self._space.lower(architecture)
        latencies = []
        for budget in self.budgets.latencies:
            measured, predictor = measured_ms.get(budget.device), budget.predictor
            if measured is not None and isinstance(predictor, BoundedPredictor):
                ratio = measured / predictor.predict([graph])[0].latency_ms
                recalibrated = predictor.recalibrated([ratio])
                _logger.info(
                    "bound on %s after the measurement of %s: %.3f times the prediction, before %.3f",
                    budget.device,
                    architecture.id,
                    recalibrated.calibration.factor,
                    predictor.calibration.factor,
                )
                budget = replace(budget, predictor=recalibrated)  # noqa: PLW2901
            latencies.append(budget)
        self.budgets = replace(self.budgets, latencies=tuple(latencies))
        return self.budgets
