"""Stratified parameter counts are found, and nothing else is taken for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np
import pytest

from search.analysis.findings.stratified import stratified
from search.analysis.levels import MIN_TRIALS, find_levels
from search.architecture import Architecture
from search.constraints.budgets import Budgets, ParameterBudget
from search.loop import run_search
from search.settings import SearchSettings
from search.spaces.portrait.space import PortraitSpace
from search.strategies.evolution import Evolution
from search.trials import TrialStore
from tests.search.toy import FormulaEvaluator


def on_levels(levels: int, spread: float, trials: int = 200, seed: int = 0) -> np.ndarray:
    """Levels 120,000 apart, the first at 400,000."""
    rng = np.random.default_rng(seed)
    return 4e5 + 1.2e5 * (rng.integers(0, levels, trials) + rng.normal(0, spread, trials))


@pytest.mark.parametrize("spread", [0.0, 0.05, 0.15])
def test_levels_are_found_with_their_spacing(spread: float) -> None:
    found = find_levels(on_levels(8, spread))
    assert found is not None
    assert found.spacing == pytest.approx(1.2e5, rel=0.02)
    assert len(found.centres) == 8
    assert found.centres == pytest.approx(4e5 + 1.2e5 * np.arange(8), abs=2e4)
    finding = stratified(found)
    assert finding is not None
    assert finding.fault
    assert f"8 levels {found.spacing / 1e6:.3g} M apart" in finding.text


def test_blurred_levels_are_none() -> None:
    """A spread of 0.25 of the spacing has a concentration of exp(-2 pi^2 0.25^2) = 0.29."""
    assert find_levels(on_levels(8, 0.25)) is None
    assert stratified(None) is None


def test_a_few_heaps_are_no_levels() -> None:
    assert find_levels(on_levels(3, 0.05)) is None
    assert find_levels(on_levels(5, 0.05)) is not None


def test_few_trials_say_nothing() -> None:
    assert find_levels(on_levels(8, 0.05, MIN_TRIALS - 1)) is None
    assert find_levels(on_levels(8, 0.05, MIN_TRIALS)) is not None


@pytest.mark.parametrize("seed", range(10))
def test_smooth_distributions_have_none(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for values in (rng.uniform(1e5, 1e6, 100), rng.normal(5e5, 1e5, 100), rng.lognormal(12, 1, 200)):
        assert find_levels(values) is None


def test_rounding_is_no_stratification() -> None:
    rng = np.random.default_rng(0)
    assert find_levels(np.round(rng.uniform(1e5, 1.2e6, 200), -5)) is None
    assert find_levels(np.full(200, 4e5)) is None


def test_samples_of_portrait_have_none() -> None:
    space = PortraitSpace()
    assert find_levels(np.array([float(space.parameters(each)) for each in space.sample(150, Random(0))])) is None


class LargestEvaluator(FormulaEvaluator):
    """Parameters decide: the search crowds below the limit."""

    def quality(self, architectures: Sequence[Architecture]) -> list[float]:
        return [PortraitSpace().parameters(architecture) / 4e5 for architecture in architectures]


def test_trials_of_a_portrait_search_have_none(tmp_path: Path) -> None:
    space, budgets = PortraitSpace(), Budgets(ParameterBudget(400_000))
    with TrialStore(tmp_path / "trials.sqlite") as store:
        settings = SearchSettings(trials=150, feasibility_samples=50)
        result = run_search(space, budgets, LargestEvaluator(), Evolution(space, budgets), store, settings)
    assert len(result.trials) == 150
    assert find_levels(np.array([float(trial.parameters) for trial in result.trials])) is None
