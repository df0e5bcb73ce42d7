"""What each choice contributes to latency and parameters: a linear surrogate, so that gates have a gradient.

Cai, Zhu, Han, "ProxylessNAS" (ICLR 2019), section 3.3.1: the expected latency of a net is the sum over its layers of
the choices' latencies, weighted by their probabilities. Here choices multiply rather than add up (the depth of a stage
and the width of its blocks), so the logarithm is taken: ridge regression of the logarithm of the predictor's bounds on
the choices of random nets says by what factor a choice changes the latency on average. Importing this module loads
torch.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from search.constraints.budgets import Budgets
from search.spaces.space import SearchSpace, Slot
from search.strategies.gates.gates import net_of

_NETS = 1000
"""Random nets; a fifth of them only serves to say how well the surrogate fits."""
_PENALTY = 20.0
"""Of the ridge regression."""
_LARGEST_TILT, _HALVINGS = 2.0**20, 40
"""Of the search for the smallest sufficient tilt."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BudgetCosts:
    """Logarithm of value over limit of every budget, as a linear function of the probabilities of choices."""

    names: tuple[str, ...]
    """The constraints: ``parameters``, ``latency:<device>``."""
    constants: Tensor
    """One for each constraint."""
    effects: Tensor
    """``constraints x slots x choices``."""
    fit: tuple[float, ...]
    """R squared of each constraint on nets that the fit did not see."""

    def expected(self, probabilities: Tensor) -> Tensor:
        """Expected logarithm of value over limit by constraint, from probabilities ``slots x choices``."""
        return self.constants + (self.effects * probabilities).sum((1, 2))

    def within(self, probabilities: Tensor, limit: float) -> Tensor:
        """The nearest probabilities whose expected costs sum up to at most ``limit``.

        Nearest by the Kullback-Leibler divergence: each is multiplied by ``exp(-t cost)`` with the smallest sufficient
        t (Csiszar, "I-divergence geometry of probability distributions and minimization problems", 1975, section 3).
        """
        cost = self.effects.sum(0)

        def tilted(by: float) -> Tensor:
            return (probabilities.log() - by * cost).softmax(1)

        def fits(by: float) -> bool:
            return float(self.expected(tilted(by)).sum()) <= limit

        if float(self.expected(probabilities).sum()) <= limit:
            return probabilities
        low, high = 0.0, 1.0
        while high < _LARGEST_TILT and not fits(high):
            low, high = high, 2 * high
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if fits(middle) else (middle, high)
        return tilted(high)

    def describe(self) -> str:
        """How well it fits."""
        return ", ".join(f"{name} R2 {fit:.2f}" for name, fit in zip(self.names, self.fit, strict=True))


def fit_costs(space: SearchSpace, budgets: Budgets, *, seed: int) -> BudgetCosts:
    """The surrogate of these budgets, from the predictors' upper bounds for random choices of every slot.

    Choices are uniform and independent, as gates are when they begin; there the expectation is exact up to the error of
    estimation.
    """
    rng = Random(f"{seed}/costs")
    choices = np.array([[rng.randrange(slot.choices) for slot in space.slots] for _ in range(_NETS)])
    checks = budgets.check_many(space, [net_of(space, row) for row in choices.tolist()], predict_all=True)
    ratios = [budgets.ratios(check.parameters, check.upper_ms) for check in checks]
    costs = _fitted(space.slots, choices, tuple(ratios[0]), np.array([list(row.values()) for row in ratios]))
    _logger.info("costs of choices, fitted on random nets: %s", costs.describe())
    return costs


def _fitted(
    slots: tuple[Slot, ...], choices: NDArray[np.int64], names: tuple[str, ...], ratios: NDArray[np.float64]
) -> BudgetCosts:
    """Ridge regression; nets without a finite bound are left out."""
    finite, most = np.isfinite(ratios).all(1), max(slot.choices for slot in slots)
    rows, values = np.eye(most)[choices[finite]].reshape(finite.sum(), -1), np.log(ratios[finite])
    held_out = len(rows) // 5
    inputs, outputs = rows[held_out:] - rows[held_out:].mean(0), values[held_out:] - values[held_out:].mean(0)
    penalty = _PENALTY * np.eye(inputs.shape[1])
    effects = np.linalg.solve(inputs.T @ inputs + penalty, inputs.T @ outputs)
    constants = values[held_out:].mean(0) - rows[held_out:].mean(0) @ effects
    errors = values[:held_out] - rows[:held_out] @ effects - constants
    return BudgetCosts(
        names,
        torch.tensor(constants, dtype=torch.float32),
        torch.tensor(effects.T.reshape(len(names), len(slots), most), dtype=torch.float32),
        tuple((1 - errors.var(0) / values[:held_out].var(0)).tolist()),
    )
