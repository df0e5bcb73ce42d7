"""What a multi-objective strategy minimises."""

from __future__ import annotations

from search.constraints.budgets import Budgets
from search.trial import Trial


def objectives(trial: Trial, budgets: Budgets) -> tuple[float, float, float]:
    """Negative quality, worst ratio of bound to budget over the devices, parameters; each is better where smaller."""
    return -trial.quality, budgets.latency_ratio(trial.upper_ms), float(trial.parameters)
