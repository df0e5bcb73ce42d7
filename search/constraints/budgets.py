"""Hard limits on size and latency, checked before any training."""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from foundation.errors import UserError
from latency.operators.operator import OperatorGraph
from search.architecture import Architecture
from search.constraints.portability import Portability
from search.known_prediction import KnownPrediction, known_prediction
from search.spaces.space import SearchSpace

PARAMETERS = "parameters"
"""Name of the constraint on size; those on latency are ``latency:<device>``, on targets ``portable:<target>``."""


class BoundedLatency(Protocol):
    """A prediction with its upper bound, such as ``latency.bounded.BoundedPrediction``."""

    @property
    def latency_ms(self) -> float:
        """The expected latency."""

    @property
    def upper_ms(self) -> float:
        """The calibrated one-sided bound."""


class LatencyBound(Protocol):
    """Predicts and bounds: ``latency.bounded.BoundedPredictor``, or a formula in a test."""

    def predict(self, graphs: Sequence[OperatorGraph]) -> Sequence[BoundedLatency]:
        """One bounded prediction per graph, in order."""


@dataclass(frozen=True, slots=True)
class ConstraintCheck:
    """Sizes, predictions and violated constraints of one architecture. Milliseconds by device."""

    architecture: Architecture
    parameters: int
    flops: int | None = None
    """None where the net was refused by its size, before it was lowered."""
    predicted_ms: Mapping[str, float] = field(default_factory=dict)
    upper_ms: Mapping[str, float] = field(default_factory=dict)
    """Calibrated upper bounds; the hard constraint is checked on these."""
    violated: tuple[str, ...] = ()
    """Names of the constraints that do not hold: ``parameters``, ``latency:<device>``, ``portable:<target>``."""
    refused: Mapping[str, float] = field(default_factory=dict)
    """Share of the operators that a target does not run, by constraint; only those above zero."""
    predictions: Mapping[str, KnownPrediction] = field(default_factory=dict)
    """By device, where the predictor can be recognised later."""

    @property
    def feasible(self) -> bool:
        """Whether every budget holds."""
        return not self.violated


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pauses the cyclic garbage collector while a batch of acyclic objects is built; also usable as a decorator.

    A batch of checked nets is hundreds of thousands of objects that stay: collections would walk through them again
    and again.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@dataclass(frozen=True, slots=True)
class ParameterBudget:
    """At most ``maximum`` trainable numbers."""

    maximum: int

    def __post_init__(self) -> None:
        _require_positive("parameter budget", self.maximum, "0.4M")


@dataclass(frozen=True, slots=True)
class LatencyBudget:
    """At most ``maximum_ms`` on a device, by the predictor's upper bound."""

    device: str
    maximum_ms: float
    predictor: LatencyBound

    def __post_init__(self) -> None:
        _require_positive(f"latency budget for {self.device}", self.maximum_ms, "8ms")

    @property
    def constraint(self) -> str:
        """The constraint's name, ``latency:<device>``."""
        return f"latency:{self.device}"


@dataclass(frozen=True, slots=True)
class Budgets:
    """All limits of a search; every one of them must hold."""

    parameters: ParameterBudget | None = None
    latencies: tuple[LatencyBudget, ...] = ()
    portable: tuple[Portability, ...] = ()

    def __post_init__(self) -> None:
        devices = [budget.device for budget in self.latencies]
        if len(set(devices)) < len(devices):
            raise UserError(
                "latency budgets",
                seen=", ".join(devices),
                expected="one budget for each device",
                remedy="give every --device once",
            )

    @collector_paused()
    def check_many(
        self,
        space: SearchSpace,
        architectures: Sequence[Architecture],
        *,
        predict_all: bool = False,
    ) -> list[ConstraintCheck]:
        """One check per architecture, in order: sizes first, then one batched prediction per device for the rest.

        Args:
            space: to which the architectures belong.
            architectures: to be checked.
            predict_all: also predict the latency of nets that have too many parameters.
        """
        sized = [self._sized(space, architecture) for architecture in architectures]
        open_positions = [i for i, check in enumerate(sized) if predict_all or check.feasible]
        graphs = [space.lower(architectures[i]) for i in open_positions]
        bounds = {budget.device: budget.predictor.predict(graphs) if graphs else [] for budget in self.latencies}
        for j, (i, graph) in enumerate(zip(open_positions, graphs, strict=True)):
            sized[i] = self._timed(sized[i], graph, {device: found[j] for device, found in bounds.items()})
        return sized

    def upper_again_ms(self, predictions: Mapping[str, KnownPrediction]) -> dict[str, float] | None:
        """Bounds by device as the predictors are calibrated now; None where a device needs a new prediction."""
        upper_ms = {}
        for budget in self.latencies:
            known = predictions.get(budget.device)
            found = None if known is None else known.upper_ms(budget.predictor)
            if found is None:
                return None
            upper_ms[budget.device] = _upper_ms(found)
        return upper_ms

    def violated(self, parameters: int, upper_ms: Mapping[str, float]) -> tuple[str, ...]:
        """Names of the constraints that a net of this size with these bounds violates."""
        return _above_limit(self.ratios(parameters, upper_ms))

    def ratios(self, parameters: int, upper_ms: Mapping[str, float]) -> dict[str, float]:
        """Value over limit by constraint, parameters first; infinite where a bound is no positive number."""
        return self._size_ratio(parameters) | self._latency_ratios(upper_ms)

    def worst_ratio(self, check: ConstraintCheck) -> float:
        """Largest ratio of value to limit, latency only where it was predicted; 0 without budgets.

        Where a target refuses operators, the ratio is one plus their share.
        """
        predicted = self._latency_ratios(check.upper_ms) if check.upper_ms else {}
        refused = {name: 1.0 + share for name, share in check.refused.items()}
        return max((self._size_ratio(check.parameters) | predicted | refused).values(), default=0.0)

    def refused(self, graph: OperatorGraph) -> dict[str, float]:
        """Share of the operators that a target does not run, by constraint; only those above zero."""
        shares = {each.constraint: each.refused(graph) for each in self.portable}
        return {name: share for name, share in shares.items() if share > 0}

    def excess(self, parameters: int, upper_ms: Mapping[str, float]) -> float:
        """Overall constraint violation (Deb et al. 2002): sum of the relative excesses; 0 where all hold."""
        return sum(max(0.0, ratio - 1.0) for ratio in self.ratios(parameters, upper_ms).values())

    def latency_ratio(self, upper_ms: Mapping[str, float]) -> float:
        """Bound over budget on the device where it is worst; 0 without a latency budget."""
        return max(self._latency_ratios(upper_ms).values(), default=0.0)

    def _latency_ratios(self, upper_ms: Mapping[str, float]) -> dict[str, float]:
        return {budget.constraint: _upper_ms(upper_ms[budget.device]) / budget.maximum_ms for budget in self.latencies}

    def _size_ratio(self, parameters: int) -> dict[str, float]:
        return {} if self.parameters is None else {PARAMETERS: parameters / self.parameters.maximum}

    def _sized(self, space: SearchSpace, architecture: Architecture) -> ConstraintCheck:
        parameters = space.parameters(architecture)
        return ConstraintCheck(architecture, parameters, violated=_above_limit(self._size_ratio(parameters)))

    def _timed(
        self, sized: ConstraintCheck, graph: OperatorGraph, bounds: Mapping[str, BoundedLatency]
    ) -> ConstraintCheck:
        upper_ms = {device: _upper_ms(bound.upper_ms) for device, bound in bounds.items()}
        refused = self.refused(graph)
        return replace(
            sized,
            flops=graph.flops,
            predicted_ms={device: float(bound.latency_ms) for device, bound in bounds.items()},
            upper_ms=upper_ms,
            violated=(*self.violated(sized.parameters, upper_ms), *refused),
            refused=refused,
            predictions=self._known(bounds),
        )

    def _known(self, bounds: Mapping[str, BoundedLatency]) -> dict[str, KnownPrediction]:
        found = {b.device: known_prediction(b.predictor, bounds[b.device]) for b in self.latencies}
        return {device: known for device, known in found.items() if known is not None}


def _above_limit(ratios: Mapping[str, float]) -> tuple[str, ...]:
    return tuple(name for name, ratio in ratios.items() if ratio > 1.0)


def _upper_ms(found: float) -> float:
    """The bound, infinite where it is no positive number: no comparison with a NaN may succeed."""
    return float(found) if found > 0 else math.inf


def _require_positive(what: str, value: float, example: str) -> None:
    if not value > 0:
        raise UserError(what, seen=value, expected="a number above zero", remedy=f"give one like {example}")
