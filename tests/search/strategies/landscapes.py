"""Searches of the toy space on landscapes of quality that a test makes up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from latseg.testing.formula_trials import Quality, formula_trials
from search.architecture import Architecture
from search.constraints.budgets import Budgets, LatencyBudget, ParameterBudget
from search.strategies.registry import make_strategy
from search.strategies.strategy import Strategy
from search.trial import Trial
from tests.search.toy import FormulaPredictor, ToySpace

SPACE = ToySpace()
BUDGETS = Budgets(ParameterBudget(130_000), (LatencyBudget("toy", 60.0, FormulaPredictor()),))
"""Which every net of the space keeps, so that nothing is repaired."""


def trials_of(architectures: Sequence[Architecture], quality: Quality, generation: int) -> list[Trial]:
    """Trials of that generation."""
    trials = formula_trials(SPACE, BUDGETS, architectures, quality, generation)
    assert not any(BUDGETS.violated(trial.parameters, trial.upper_ms) for trial in trials)
    return trials


def searched(text: str, quality: Quality, *, generations: int = 12, seed: int = 0) -> tuple[Strategy, list[Trial]]:
    """A strategy after some generations of ten trials, and all trials."""
    strategy, trials = make_strategy(text, SPACE, BUDGETS, seed=seed), []
    for generation in range(generations):
        new = trials_of(strategy.ask(10), quality, generation)
        strategy.tell(new)
        trials += new
    return strategy, trials


def slower(trials: Sequence[Trial]) -> list[Trial]:
    """The trials after another prediction: those of even position with larger bounds."""
    return [
        replace(trial, upper_ms={device: ms * (1.5 - position % 2 / 2) for device, ms in trial.upper_ms.items()})
        for position, trial in enumerate(trials)
    ]
