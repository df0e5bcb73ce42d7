"""A device with a formula for latency, and a predictor that knows it well but for nets near 2 ms."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from math import exp
from pathlib import Path
from random import Random

from devices.backends.simulated.device import SimulatedDevice
from devices.device import Candidate
from devices.measurement import FailedMeasurement, Measurement, NoiseFloor
from devices.protocol import MeasurementProtocol
from foundation.errors import DeviceUnavailableError
from latency.bounded import BoundedPredictor
from latency.calibration import Calibration
from latency.operators.from_onnx import from_onnx
from latency.operators.operator import OperatorGraph
from latency.operators.serialize import graph_digest
from latency.predictor import LatencyPredictor, Prediction
from latency.sample import LatencySample
from tests.latency.measurements import measurement

BUDGET_MS = 2.0


def true_ms(graph: OperatorGraph) -> float:
    return 0.02 * graph.flops / 1e6 + 0.005 * len(graph.operators)


class FormulaDevice(SimulatedDevice):
    """Measures by formula, counts, and can fail, be interrupted or vanish."""

    def __init__(
        self,
        *,
        slower: float = 1.0,
        failing: Collection[int] = (),
        interrupt_at: int | None = None,
        gone: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__(seed=seed)
        self.measured: list[str] = []
        self._slower = slower
        self._failing = failing
        self._interrupt_at = interrupt_at
        self._gone = gone

    def nominal_reference_ms(self) -> float:
        return 1.0

    def noise_floor(
        self,
        candidate: Candidate,
        *,
        nominal_reference_ms: float,
        protocol: MeasurementProtocol,
        seed: int = 0,
    ) -> NoiseFloor:
        return NoiseFloor(1.0, 1.0, 10)

    def measure(
        self,
        candidates: Sequence[Candidate],
        *,
        nominal_reference_ms: float,
        protocol: MeasurementProtocol,
        seed: int = 0,
    ) -> Iterator[Measurement | FailedMeasurement]:
        if self._gone:
            raise DeviceUnavailableError("device", seen="none", expected="one", remedy="plug it in")
        for candidate in candidates:
            if len(self.measured) == self._interrupt_at:
                raise KeyboardInterrupt
            self.measured.append(candidate.label)
            if len(self.measured) in self._failing:
                yield FailedMeasurement(candidate.label, "", self.info(), "it crashed", "now")
            else:
                ms = self._slower * true_ms(from_onnx(candidate.path))
                yield measurement(candidate.label, ms, device=self.info())


@dataclass
class Blind(LatencyPredictor):
    """Off by some per cent from net to net; where it expects about the budget, another fifth too low."""

    near: float = 0.8
    spread: float = 0.02
    name: str = field(default="blind", init=False)

    def fit(self, samples: Sequence[LatencySample], *, seed: int = 0) -> None:
        raise NotImplementedError

    def predict(self, graphs: Sequence[OperatorGraph]) -> list[Prediction]:
        return [Prediction(ms, (ms,), 0.0, ()) for ms in map(self._ms, graphs)]

    def _ms(self, graph: OperatorGraph) -> float:
        ms = true_ms(graph) * exp(Random(graph_digest(graph)).gauss(0.0, self.spread))
        return ms * self.near if 0.65 < ms / BUDGET_MS < 1.4 else ms

    def save(self, folder: Path) -> None:
        raise NotImplementedError

    @classmethod
    def load(cls, folder: Path) -> LatencyPredictor:
        raise NotImplementedError


def bounded(*, near: float = 0.8, alpha: float = 0.1, learned: frozenset[str] = frozenset()) -> BoundedPredictor:
    """Calibrated on nets among which those near the budget are too rare to matter."""
    ratios = [exp(Random(number).gauss(0.0, 0.02)) for number in range(60)]
    info = SimulatedDevice().info()
    return BoundedPredictor(Blind(near), Calibration.of(ratios, alpha=alpha), info, learned)
