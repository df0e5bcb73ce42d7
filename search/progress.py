"""How a search reports what it is doing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from foundation.progress import Progress
from search.trial import Trial


@dataclass(frozen=True, slots=True)
class SearchProgress(Progress):
    """A moment of a search or of a training in it."""

    feasible: int = 0
    """Architectures evaluated so far; all of them keep their budgets."""
    rejected: Mapping[str, int] = field(default_factory=dict)
    """Candidates by the constraint that they violated."""
    best_quality: float | None = None
    best_latency_ms: Mapping[str, float] = field(default_factory=dict)
    """Predicted latency of the best net, by device."""
    certified: int = 0
    loss: float | None = None
    """Of the update of a training that this moment is; a task need not report it."""
    learning_rate: float | None = None
    mean_iou: float | None = None
    """On the validation part, where it was evaluated after this update."""
    training: Progress | None = None
    """The moment of the training that is running, where this is a moment of many trainings."""
    trial: Trial | None = None
    """The trial that was evaluated or measured at this moment."""
