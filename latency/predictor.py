"""The contract of a latency predictor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from latency.operators.operator import OperatorGraph
from latency.sample import LatencySample


@dataclass(frozen=True, slots=True)
class Prediction:
    """The predicted latency of one net. Milliseconds."""

    latency_ms: float
    operators_ms: tuple[float, ...]
    """Positive contribution of each operator, in the graph's order; with ``overhead_ms`` they add up to the latency."""
    overhead_ms: float
    """Time that belongs to no operator."""
    unseen: tuple[int, ...]
    """Positions of the operators whose kind or size range was never measured."""
    isolated: tuple[int, ...] = ()
    """Positions of further operators, whose kind or size range was measured in small models only, never in a net."""

    def scaled(self, factor: float) -> Prediction:
        """The same with every time multiplied."""
        operators_ms, overhead_ms = tuple(factor * ms for ms in self.operators_ms), factor * self.overhead_ms
        return Prediction(sum(operators_ms) + overhead_ms, operators_ms, overhead_ms, self.unseen, self.isolated)


class LatencyPredictor(ABC):
    """From operator graphs to milliseconds.

    Every implementation passes ``latseg.testing.predictor_contract``: positive and finite predictions, contributions
    that add up, the same numbers after save and load in another process, no dependence on the order of a batch.
    """

    name: str

    @abstractmethod
    def fit(self, samples: Sequence[LatencySample], *, seed: int = 0) -> None:
        """Learns from measured nets.

        Raises:
            UserError: too few samples.
        """

    @abstractmethod
    def predict(self, graphs: Sequence[OperatorGraph]) -> list[Prediction]:
        """One prediction per graph, in the order of ``graphs``."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Writes safetensors and JSON, atomically; no pickle."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path) -> LatencyPredictor:
        """Reads what ``save`` wrote.

        Raises:
            UserError: missing, corrupt, or of another schema.
        """
