"""The trials of one search, as arrays in the order in which they were evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Choices = NDArray[np.int64]
ABSENT = -1
"""The choice of a slot that a trial does not have."""
PARAMETERS = "parameters"
LATENCY = "latency:"
"""Before the name of the device, in the name of a cost."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a trial costs: its parameters, or its latency on a device."""

    name: str
    """``parameters`` or ``latency:<device>``, as the budget is called."""
    label: str
    """For axes, with the unit."""
    values: Vector
    """``n``; NaN where unknown. Parameters as a count, latency in milliseconds."""
    limit: float | None = None
    """Hard limit, in the unit of ``values``."""

    @property
    def scale(self) -> float:
        """By which ``values`` are divided on axes; parameters are shown in millions."""
        return 1e6 if self.name == PARAMETERS else 1.0

    @property
    def known(self) -> Vector:
        """The values that are known."""
        return self.values[np.isfinite(self.values)]


def latency_cost(device: str, bounds: Vector, limit: float | None = None) -> Cost:
    """The latency bounds on a device, in milliseconds."""
    return Cost(f"{LATENCY}{device}", f"latency bound on {device}, ms", bounds, limit)


@dataclass(frozen=True, slots=True)
class SearchLog:
    """``n`` trials of a search with ``k`` slots."""

    name: str
    numbers: Choices
    """``n``: number of each trial; ascending."""
    quality: Vector
    """``n``: what the search maximised, as it estimated it."""
    costs: tuple[Cost, ...] = ()
    seconds: Vector | None = None
    """``n``: what each trial took; NaN where unknown."""
    slots: tuple[str, ...] = ()
    choices: Choices = field(default_factory=lambda: np.empty((0, 0), np.int64))
    """``n x k``; ``ABSENT`` where a trial does not have the slot."""
    trained: Vector | None = None
    """``n``: quality after full training; NaN where not trained."""
    latencies: Mapping[str, Matrix] = field(default_factory=dict)
    """By device ``n x 2``: predicted and measured, in milliseconds; NaN where not measured."""
    rejected: Mapping[str, int] = field(default_factory=dict)
    """Candidates by the limit that they broke; none of them is a trial."""
    repaired: int = 0
    """Of the rejected candidates, those that became a trial after a repair."""
    quality_label: str = "quality"
    """The word for ``quality`` on axes."""
    rewards: Vector | None = None
    """``n``: what the strategy of each trial maximised, where that was not the quality alone."""
    strategies: tuple[str, ...] = ()
    """``n``: of several strategies side by side, the one that proposed each trial; empty where there was one."""

    def __len__(self) -> int:
        return len(self.quality)

    @property
    def best_so_far(self) -> Vector:
        """``n``: the best quality up to each trial."""
        return np.maximum.accumulate(self.quality)

    def by_strategy(self) -> dict[str, NDArray[np.bool_]]:
        """Of strategies side by side, which trials each proposed (``n``); empty where there was one."""
        proposers = np.array(self.strategies)
        return {name: proposers == name for name in dict.fromkeys(self.strategies)}

    def cost(self, name: str) -> Cost | None:
        """The cost of this name; None where the log does not have it."""
        return next((cost for cost in self.costs if cost.name == name), None)

    @property
    def over_limit(self) -> NDArray[np.bool_]:
        """``n``: whether the trial is known to exceed a limit."""
        over = [cost.values > cost.limit for cost in self.costs if cost.limit is not None]
        return np.any(over, axis=0) if over else np.zeros(len(self), np.bool_)


def common_costs(logs: Sequence[SearchLog]) -> list[str]:
    """Names of the costs that every log has, in the order of the first."""
    shared = set.intersection(*({cost.name for cost in log.costs if len(cost.known)} for log in logs))
    return [cost.name for cost in logs[0].costs if cost.name in shared]
