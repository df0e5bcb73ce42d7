"""The small searches that ``kill_search.py`` kills.

Each estimate and each measurement takes a few milliseconds. The predictor is too optimistic, by another factor for each
net, so finalists are rejected and widen the bound, as in a real search. A measurement has noise, but a net always has
the same: one that a kill interrupted gives the same result when it is repeated.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from typing_extensions import override

from devices.measurement import Measurement
from latency.bounded import BoundedPredictor
from latency.calibration import Calibration
from latency.operators.operator import OperatorGraph
from latency.predictor import Prediction
from search.architecture import Architecture
from search.constraints.budgets import Budgets, LatencyBudget, ParameterBudget
from tests.search.strategies.gates_task import TaskEvaluator
from tests.search.test_loop import TRUTH
from tests.search.toy import FormulaPredictor, NoisyDevice
from tests.search.winners.test_finalist_feedback import INFO, Optimist

STEP_S = 0.005
"""What an estimate takes, and a measurement."""
NOISE = 0.03
"""Of a block of a measurement."""
PREDICTED = FormulaPredictor(bias=0.7, noise=0.05)


class ScatteredOptimist(Optimist):
    """Predicts about 70 % of the truth; a rejection does not say by how much the next net is off."""

    name = "scattered"

    @override
    def predict(self, graphs: Sequence[OperatorGraph]) -> list[Prediction]:
        """As ``PREDICTED``."""
        return [Prediction(each.latency_ms, (each.latency_ms,), 0.0, ()) for each in PREDICTED.predict(graphs)]


class SlowEvaluator(TaskEvaluator):
    """One estimate takes ``STEP_S``; it has a task, on which strategies may train before they propose."""

    @override
    def quality(self, architectures: Sequence[Architecture]) -> list[float]:
        """As the formula says."""
        time.sleep(STEP_S * len(architectures))
        return super().quality(architectures)


class SlowDevice:
    """A measurement takes ``STEP_S``, and has noise that depends on the net alone; notes what it measures."""

    def __init__(self) -> None:
        self.measured: list[Architecture] = []

    def measure(self, architecture: Architecture) -> dict[str, Measurement]:
        """A ``search.winners.selection.Measure``."""
        self.measured.append(architecture)
        time.sleep(STEP_S)
        return NoisyDevice(TRUTH, noise=NOISE, seed=int(architecture.id, 16)).measure(architecture)


def fitted_budgets() -> Budgets:
    """The budgets before the first measurement."""
    predictor = BoundedPredictor(ScatteredOptimist(), Calibration.of([1.02] * 20), INFO, identity="scattered")
    return Budgets(ParameterBudget(100_000), (LatencyBudget("toy", 1.5, predictor),))


def bound_factor(budgets: Budgets) -> float:
    """Bound / prediction, which measured candidates change."""
    predictor = budgets.latencies[0].predictor
    assert isinstance(predictor, BoundedPredictor)
    return predictor.calibration.factor
