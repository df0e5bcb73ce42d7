"""What the budgets say about one architecture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from search.architecture import Architecture

PARAMETERS = "parameters"
"""Name of the constraint on size; those on latency are ``latency:<device>``."""


def latency_constraint(device: str) -> str:
    """Name of the constraint on a device's latency."""
    return f"latency:{device}"


@dataclass(frozen=True, slots=True)
class ConstraintCheck:
    """Sizes, predictions and broken constraints of one architecture. Milliseconds by device."""

    architecture: Architecture
    parameters: int
    flops: int | None = None
    """None where the net was rejected by its size, before it was lowered."""
    predicted_ms: Mapping[str, float] = field(default_factory=dict)
    upper_ms: Mapping[str, float] = field(default_factory=dict)
    """Calibrated upper bounds; the hard constraint is tested on these."""
    violated: tuple[str, ...] = ()
    """Names of the constraints that do not hold: ``parameters``, ``latency:<device>``."""

    @property
    def feasible(self) -> bool:
        """Whether every budget holds."""
        return not self.violated
