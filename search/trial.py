"""One evaluated architecture and its measurements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from search.architecture import Architecture
from search.known_prediction import KnownPrediction

EVALUATED = "evaluated"
CERTIFIED = "certified"
REJECTED = "rejected:measured"
UNCERTIFIED = "uncertified (simulated)"


@dataclass(frozen=True, slots=True)
class DeviceResult:
    """The measurement of a trial's exported net on one device, and whether the budget's rule accepted it."""

    device: str
    measured_ms: float | None
    """None where the measurement failed."""
    interval_ms: tuple[float, float] | None
    holds: bool
    """Whether the rule accepted it; for a simulated device, whether the interval's upper end is within the budget."""
    simulated: bool = False
    reason: str = ""
    """Why it does not hold."""


@dataclass(frozen=True, slots=True)
class Trial:
    """An architecture that kept every budget when it was evaluated. Milliseconds by device."""

    architecture: Architecture
    generation: int
    parameters: int
    flops: int
    predicted_ms: Mapping[str, float]
    upper_ms: Mapping[str, float]
    quality: float
    seconds: float
    """From the estimate before it, or from the beginning of its generation, to its own."""
    created: str
    """ISO 8601, UTC."""
    results: tuple[DeviceResult, ...] = ()
    """Empty until it was measured as a candidate winner."""
    predictions: Mapping[str, KnownPrediction] = field(default_factory=dict)
    """By device; those of predictors that can be recognised later."""

    @property
    def id(self) -> str:
        """Id of the architecture."""
        return self.architecture.id

    @property
    def status(self) -> str:
        """``evaluated``, ``certified``, ``rejected:measured`` or ``uncertified (simulated)``."""
        if not self.results:
            return EVALUATED
        if not all(result.holds for result in self.results):
            return REJECTED
        return UNCERTIFIED if any(result.simulated for result in self.results) else CERTIFIED

    @property
    def certified(self) -> bool:
        """Whether measurements on real devices certify every latency budget."""
        return self.status == CERTIFIED

    @property
    def rejected(self) -> tuple[str, ...]:
        """Constraints that did not survive measurement: ``measured:<device>``."""
        return tuple(f"measured:{result.device}" for result in self.results if not result.holds)

    @property
    def measured_ms(self) -> dict[str, float]:
        """Measured latency by device."""
        return {f.device: f.measured_ms for f in self.results if f.measured_ms is not None}
