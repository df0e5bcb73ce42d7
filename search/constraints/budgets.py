"""Hard limits on size and latency, tested before any training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from foundation.errors import UserError
from latency.operators.operator import OperatorGraph
from search.architecture import Architecture
from search.constraints.check import PARAMETERS, ConstraintCheck, latency_constraint
from search.constraints.uncollected import uncollected
from search.spaces.space import SearchSpace


class BoundedLatency(Protocol):
    """A prediction with its upper bound, as ``latency.bounded.BoundedPrediction`` has it."""

    @property
    def latency_ms(self) -> float:
        """The likely latency."""

    @property
    def upper_ms(self) -> float:
        """The calibrated one-sided bound."""


class LatencyBound(Protocol):
    """What predicts and bounds: ``latency.bounded.BoundedPredictor``, or a formula in a test."""

    def predict(self, graphs: Sequence[OperatorGraph]) -> Sequence[BoundedLatency]:
        """One bounded prediction per graph, in order."""


@dataclass(frozen=True, slots=True)
class ParameterBudget:
    """At most ``maximum`` trainable numbers."""

    maximum: int

    def __post_init__(self) -> None:
        _require_positive("parameter budget", self.maximum, "0.4M")


@dataclass(frozen=True, slots=True)
class LatencyBudget:
    """At most ``maximum_ms`` on a device, by the predictor's upper bound.

    ``margin`` multiplies the bound before the test. It is 1 until measurements show that nets at the budget's edge
    do not survive; then it pushes the search away from the edge.
    """

    device: str
    maximum_ms: float
    predictor: LatencyBound
    margin: float = 1.0

    def __post_init__(self) -> None:
        _require_positive(f"latency budget for {self.device}", self.maximum_ms, "8ms")

    @property
    def constraint(self) -> str:
        """The constraint's name, ``latency:<device>``."""
        return latency_constraint(self.device)

    def ratio(self, upper_ms: float) -> float:
        """Bound over budget, margin included; above 1 the constraint is broken."""
        return upper_ms * self.margin / self.maximum_ms


@dataclass(frozen=True, slots=True)
class Budgets:
    """All limits of a search; every one of them must hold."""

    parameters: ParameterBudget | None = None
    latencies: tuple[LatencyBudget, ...] = ()

    def __post_init__(self) -> None:
        devices = [budget.device for budget in self.latencies]
        if len(set(devices)) < len(devices):
            raise UserError(
                "latency budgets",
                seen=", ".join(devices),
                expected="one budget for each device",
                remedy="give every --device once",
            )

    @uncollected()
    def check_many(
        self,
        space: SearchSpace,
        architectures: Sequence[Architecture],
        classes: int = 2,
        *,
        predict_all: bool = False,
    ) -> list[ConstraintCheck]:
        """Verdicts in the order given: sizes first, then one batched prediction per device for what is left.

        Args:
            space: to which the architectures belong.
            architectures: to be tested.
            classes: of the segmentation.
            predict_all: also predict the latency of nets that have too many parameters.
        """
        sized = [self._sized(space, architecture, classes) for architecture in architectures]
        open_positions = [i for i, verdict in enumerate(sized) if predict_all or verdict.feasible]
        graphs = [space.lower(architectures[i], classes=classes) for i in open_positions]
        bounds = {budget.device: budget.predictor.predict(graphs) if graphs else [] for budget in self.latencies}
        for j, (i, graph) in enumerate(zip(open_positions, graphs, strict=True)):
            sized[i] = self._timed(sized[i], graph, {device: found[j] for device, found in bounds.items()})
        return sized

    def violated(self, parameters: int, upper_ms: Mapping[str, float]) -> tuple[str, ...]:
        """Names of the constraints that a net of this size with these bounds breaks."""
        too_big = self.parameters is not None and parameters > self.parameters.maximum
        too_slow = [budget.constraint for budget in self.latencies if budget.ratio(upper_ms[budget.device]) > 1.0]
        return ((PARAMETERS,) if too_big else ()) + tuple(too_slow)

    def ratios(self, parameters: int, upper_ms: Mapping[str, float]) -> tuple[float, ...]:
        """Value over limit for each constraint, parameters first."""
        size = () if self.parameters is None else (parameters / self.parameters.maximum,)
        return size + tuple(budget.ratio(upper_ms[budget.device]) for budget in self.latencies)

    def worst_ratio(self, verdict: ConstraintCheck) -> float:
        """Value over limit of the constraint that is worst, as far as the verdict tells; 0 without budgets."""
        size = 0.0 if self.parameters is None else verdict.parameters / self.parameters.maximum
        return max(size, self.latency_ratio(verdict.upper_ms)) if verdict.upper_ms else size

    def excess(self, parameters: int, upper_ms: Mapping[str, float]) -> float:
        """Overall constraint violation (Deb et al. 2002): sum of the relative excesses; 0 where all hold."""
        return sum(max(0.0, ratio - 1.0) for ratio in self.ratios(parameters, upper_ms))

    def latency_ratio(self, upper_ms: Mapping[str, float]) -> float:
        """Bound over budget on the device where it is worst; 0 without a latency budget."""
        return max((budget.ratio(upper_ms[budget.device]) for budget in self.latencies), default=0.0)

    def tightened(self, margins: Mapping[str, float]) -> Budgets:
        """The same limits with each device's margin multiplied."""
        latencies = (replace(b, margin=b.margin * margins.get(b.device, 1.0)) for b in self.latencies)
        return replace(self, latencies=tuple(latencies))

    def _sized(self, space: SearchSpace, architecture: Architecture, classes: int) -> ConstraintCheck:
        parameters = space.plan(architecture, classes=classes).parameters()
        too_big = self.parameters is not None and parameters > self.parameters.maximum
        return ConstraintCheck(architecture, parameters, violated=(PARAMETERS,) if too_big else ())

    def _timed(
        self, sized: ConstraintCheck, graph: OperatorGraph, bounds: Mapping[str, BoundedLatency]
    ) -> ConstraintCheck:
        upper_ms = {device: float(bound.upper_ms) for device, bound in bounds.items()}
        return replace(
            sized,
            flops=graph.flops,
            predicted_ms={device: float(bound.latency_ms) for device, bound in bounds.items()},
            upper_ms=upper_ms,
            violated=self.violated(sized.parameters, upper_ms),
        )


def _require_positive(what: str, value: float, example: str) -> None:
    if math.isnan(value) or value <= 0:
        raise UserError(what, seen=value, expected="a number above zero", remedy=f"give one like {example}")
