"""What the strategies of ``strategies.py`` search: the space ``portrait`` on an invented machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latency.operators.operator import Operator, OperatorGraph
from search.analysis.hypervolume import hypervolume
from search.constraints.budgets import Budgets, LatencyBudget, ParameterBudget
from search.evaluators.evaluator import Evaluator
from search.evaluators.registry import make_evaluator
from search.options import DataOptions, TrainingOptions
from search.spaces.portrait.space import PortraitSpace
from search.spaces.space import SearchSpace
from search.tasks.task import TaskOptions


@dataclass(frozen=True)
class Bounded:
    """A latency that is bounded by a tenth more."""

    latency_ms: float

    @property
    def upper_ms(self) -> float:
        """The bound."""
        return 1.1 * self.latency_ms


class Roofline:
    """An invented machine: a kernel takes the longer of its operations and its memory traffic, and an overhead."""

    def predict(self, graphs: Sequence[OperatorGraph]) -> list[Bounded]:
        """One for each graph."""
        return [Bounded(sum(map(self._ms, graph.operators))) for graph in graphs]

    @staticmethod
    def _ms(operator: Operator) -> float:
        return 0.001 + max(operator.flops / 240e6, (operator.bytes_read + operator.bytes_written) / 30e6)


@dataclass(frozen=True)
class Problem:
    """What is the same for all strategies."""

    space: SearchSpace
    budgets: Budgets
    evaluator: Evaluator
    trials: int

    @classmethod
    def make(cls, *, max_ms: float, max_parameters: int, trials: int, folder: Path) -> Problem:
        """The problem under these budgets; the task's files are in ``folder``."""
        space = PortraitSpace(sizes=[(128, 128)])
        data = DataOptions(source="synthetic:48", size=(64, 64))
        task = space.make_task(TaskOptions(data, TrainingOptions(teacher_epochs=0, batch_size=4, threads=1), 0, folder))
        budgets = Budgets(ParameterBudget(max_parameters), (LatencyBudget("roofline", max_ms, Roofline()),))
        return cls(space, budgets, make_evaluator("pretrained", space, task, folder=folder), trials)

    def ratios(self, parameters: int, upper_ms: Mapping[str, float]) -> tuple[float, float]:
        """Bound over budget, and parameters over their limit."""
        assert self.budgets.parameters is not None
        return self.budgets.latency_ratio(upper_ms), parameters / self.budgets.parameters.maximum

    def outcome(self, qualities: Sequence[float], ratios: Sequence[tuple[float, float]]) -> dict[str, Any]:
        """Of the evaluated nets: best quality, and the volume that they dominate (quality and both ratios)."""
        rows = np.array([(-quality, *pair) for quality, pair in zip(qualities, ratios, strict=True)]).reshape(-1, 3)
        volume = hypervolume(rows, np.array([0.0, 1.0, 1.0]))
        return {"best_quality": max(qualities, default=0.0), "hypervolume": volume}
