"""How a long search tells what it is doing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Progress:
    """A moment of the search."""

    stage: str
    """``near budget``, ``feasibility``, ``prepare`` (or the evaluator's own word), ``search``, ``winners``."""
    done: int
    total: int
    feasible: int = 0
    """Architectures evaluated so far; all of them keep their budgets."""
    rejected: Mapping[str, int] = field(default_factory=dict)
    """Candidates by the constraint they broke."""
    best_quality: float | None = None
    best_latency_ms: Mapping[str, float] = field(default_factory=dict)
    """Predicted latency of the best net, by device."""
    certified: int = 0
    note: str = ""


OnProgress = Callable[[Progress], None]


def ignore_progress(progress: Progress) -> None:
    """The callback of those who do not listen."""
