"""Strategies: the contract, and that evolution beats chance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typing_extensions import override

from foundation.errors import UserError
from latseg.testing.strategy_contract import StrategyContract
from search.analysis.hypervolume import hypervolume
from search.constraints.budgets import Budgets, LatencyBudget, ParameterBudget
from search.evaluators.evaluator import Evaluator
from search.loop import run_search
from search.settings import SearchSettings
from search.spaces.portrait.space import PortraitSpace
from search.spaces.space import SearchSpace
from search.strategies.evolution import Evolution
from search.strategies.registry import STRATEGIES, make_strategy
from search.strategies.strategy import Strategy
from search.trials import TrialStore
from tests.search.strategies.gates_task import QUICK, TaskEvaluator
from tests.search.toy import FormulaEvaluator, FormulaPredictor, ToySpace


def toy_budgets() -> Budgets:
    return Budgets(ParameterBudget(12_000), (LatencyBudget("toy", 3.0, FormulaPredictor()),))


class _ToyContract(StrategyContract):
    text: str

    def make(self, seed: int = 0) -> Strategy:
        return make_strategy(self.text, ToySpace(), toy_budgets(), seed=seed)

    def space(self) -> SearchSpace:
        return ToySpace()

    def budgets(self) -> Budgets:
        return toy_budgets()


class TestEvolution(_ToyContract):
    text = "evolution:population=16"
    learner = True


class TestRegularisedEvolution(_ToyContract):
    text = "regularised-evolution"
    learner = True


class TestReinforce(_ToyContract):
    text = "reinforce"
    learner = True


class TestPpo(_ToyContract):
    text = "ppo"
    learner = True


class TestSideBySide(_ToyContract):
    text = "ppo|ppo:latency=0.6|random:generation_size=16"
    learner = True


class TestRandomSearch(_ToyContract):
    text = "random:generation_size=16"


class TestOptuna(_ToyContract):
    text = "optuna:tpe,generation_size=8"
    asked = 8


class _GatesContract(_ToyContract):
    folder: Path

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _folders(cls, tmp_path_factory: pytest.TempPathFactory) -> None:
        cls.folder = tmp_path_factory.mktemp("gates")

    @pytest.fixture(autouse=True)
    def _few_nets(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("search.strategies.gates.budget_costs._NETS", 100)

    @override
    def preparation(self, seed: int) -> Evaluator:
        folder = self.folder / str(seed)
        folder.mkdir(exist_ok=True)
        return TaskEvaluator(folder, seed=seed)


class TestProxyless(_GatesContract):
    text = f"proxyless:{QUICK},updates=2,generation_size=16"


class TestSGAS(_GatesContract):
    text = f"sgas:{QUICK},delay=1,every=1,generation_size=16"


class TestEvolutionOnPortraits(StrategyContract):
    def make(self, seed: int = 0) -> Strategy:
        return make_strategy("evolution:population=16", self.space(), self.budgets(), seed=seed)

    def space(self) -> SearchSpace:
        return PortraitSpace(sizes=[(128, 128)])

    def budgets(self) -> Budgets:
        return Budgets(ParameterBudget(400_000), (LatencyBudget("toy", 6.0, FormulaPredictor(ms_per_mflop=0.02)),))


def test_every_strategy_is_under_contract() -> None:
    texts = {contract.text.partition(":")[0] for contract in _ToyContract.__subclasses__() if hasattr(contract, "text")}
    texts |= {contract.text.partition(":")[0] for contract in _GatesContract.__subclasses__()}
    assert texts - {"ppo|ppo"} == set(STRATEGIES.builtin)


def test_unknown_strategy() -> None:
    with pytest.raises(UserError, match="expected one of evolution, random, "):
        make_strategy("annealing", ToySpace(), toy_budgets())


def _searched(name: str, seed: int, folder: Path) -> tuple[float, float]:
    """Hypervolume (quality, latency ratio, parameter ratio) and best quality after 200 evaluations."""
    budgets = toy_budgets()
    with TrialStore(folder / f"{name}-{seed}.sqlite") as store:
        strategy = make_strategy(name, ToySpace(), budgets, seed=seed)
        settings = SearchSettings(trials=200, seed=seed, feasibility_samples=50)
        result = run_search(ToySpace(), budgets, FormulaEvaluator(), strategy, store, settings)
    assert len(result.trials) == 200
    rows = [(-t.quality, budgets.latency_ratio(t.upper_ms), t.parameters / 12_000) for t in result.trials]
    return hypervolume(np.array(rows), np.array([0.0, 1.0, 1.0])), max(trial.quality for trial in result.trials)


def test_evolution_beats_random_search_at_equal_cost(tmp_path: Path) -> None:
    evolution = np.array([_searched("evolution", seed, tmp_path) for seed in range(6)])
    chance = np.array([_searched("random", seed, tmp_path) for seed in range(6)])
    assert (evolution[:, 0] > chance[:, 0]).all()
    assert evolution[:, 1].mean() > chance[:, 1].mean()


def test_evolution_prefers_what_keeps_the_budgets() -> None:
    contract = TestEvolution()
    space, budgets = ToySpace(), toy_budgets()
    strategy = Evolution(space, budgets, seed=0, population=8, immigrants=0.0)
    samples = make_strategy("random", space, budgets).ask(60)
    strategy.tell(contract.evaluated(samples))
    ranked, best = strategy._survivors()
    for survivors in (ranked, best):
        assert len(survivors) == 8
        assert not any(budgets.violated(trial.parameters, trial.upper_ms) for trial in survivors)
    assert min(trial.quality for trial in best) > min(trial.quality for trial in ranked)
