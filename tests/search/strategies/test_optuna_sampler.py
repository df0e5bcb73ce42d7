"""Optuna's samplers behind the contract of strategies; that of TPE is in ``test_strategies``."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

import numpy as np
import optuna
import pytest

from foundation.errors import UserError
from search.architecture import Architecture
from search.constraints.budgets import Budgets, ParameterBudget
from search.objectives import objectives
from search.optuna_package import distributions, quiet_optuna
from search.pareto import Matrix, dominated
from search.spaces.space import Slot
from search.strategies.optuna_sampler import SAMPLERS
from search.strategies.registry import STRATEGIES, make_strategy
from search.trial import Trial
from tests.search.strategies import test_strategies as strategies
from tests.search.test_loop import _Interrupted as Interrupted
from tests.search.test_loop import search, toy_budgets
from tests.search.toy import ToySpace, quality_of

FOR_QUALITY, FOR_A_FRONT = ("tpe", "gp", "cmaes"), ("nsga2", "nsga3")


class TestNsga2(strategies.TestOptuna):
    text = "optuna:nsga2,generation_size=8"


class TestNsga3(strategies.TestOptuna):
    text = "optuna:nsga3,generation_size=8"


class TestCmaEs(strategies.TestOptuna):
    text = "optuna:cmaes,generation_size=8"


class TestRandom(strategies.TestOptuna):
    text = "optuna:random,generation_size=8"


@pytest.fixture
def without_local_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Gaussian process takes the best of random candidates: the local search from there takes most of the time."""

    def unchanged(acquisition: Any, points: Any, **_: object) -> tuple[Any, Any]:
        return points, acquisition.eval_acqf_no_grad(points)

    monkeypatch.setattr("optuna._gp.optim_mixed.local_search_mixed_batched", unchanged)


@pytest.mark.usefixtures("without_local_search")
class TestGp(strategies._ToyContract):
    text = "optuna:gp,generation_size=6"
    asked = 6


def test_every_sampler_is_under_contract() -> None:
    contracts = (strategies.TestOptuna, TestGp, TestNsga2, TestNsga3, TestCmaEs, TestRandom)
    assert {STRATEGIES.parse(contract.text)[1]["sampler"] for contract in contracts} == set(SAMPLERS)


def _trials(generations: int) -> list[Trial]:
    """Generations of sixteen trials with the quality of the formula."""
    sampled = list(dict.fromkeys(ToySpace().sample(32 * generations, Random(0))))[: 16 * generations]
    return [
        replace(trial, generation=number // 16, quality=quality_of(trial.architecture))
        for number, trial in enumerate(strategies.TestOptuna().evaluated(sampled))
    ]


def _asked(sampler: str, budgets: Budgets, trials: list[Trial], count: int = 16) -> list[Architecture]:
    strategy = make_strategy(f"optuna:{sampler},generation_size=16", ToySpace(), toy_budgets())
    strategy.constrain(budgets)
    strategy.tell(trials)
    return strategy.ask(count)


@pytest.mark.usefixtures("without_local_search")
@pytest.mark.parametrize("sampler", FOR_QUALITY)
def test_proposals_are_better_than_chance(sampler: str) -> None:
    trials = _trials(6)
    count = 6 if sampler == "gp" else 16
    chance = fmean(map(quality_of, _asked("random", Budgets(), trials)))
    assert fmean(map(quality_of, _asked(sampler, Budgets(), trials, count))) > chance + 0.1


@pytest.mark.parametrize("sampler", FOR_A_FRONT)
def test_fewer_proposals_are_dominated_than_by_chance(sampler: str) -> None:
    trials, contract = _trials(6), strategies.TestOptuna()

    def rows(trials: list[Trial]) -> Matrix:
        return np.array([objectives(trial, toy_budgets()) for trial in trials])

    def share(sampler: str) -> float:
        proposed = contract.evaluated(_asked(sampler, toy_budgets(), trials, 40))
        judged = [replace(trial, quality=quality_of(trial.architecture)) for trial in proposed]
        return float(dominated(rows(judged), rows(trials)).mean())

    assert share(sampler) < share("random") - 0.2


@pytest.mark.usefixtures("without_local_search")
@pytest.mark.parametrize("sampler", [*FOR_QUALITY, *FOR_A_FRONT])
def test_tighter_budgets_are_kept_by_more_proposals(sampler: str) -> None:
    """The trials of best quality exceed the new limit, as after a recalibration."""
    tight = Budgets(ParameterBudget(2_000))

    def parameters(budgets: Budgets) -> float:
        count = 6 if sampler == "gp" else 16
        return fmean(map(ToySpace().parameters, _asked(sampler, budgets, _trials(6), count)))

    assert parameters(tight) < 0.8 * parameters(Budgets())


@pytest.mark.parametrize("sampler", ["tpe", "nsga3", "cmaes"])
def test_interrupted_and_resumed_it_is_the_same_search(tmp_path: Path, sampler: str) -> None:
    strategy = f"optuna:{sampler},generation_size=12"
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    whole = search(tmp_path / "whole", toy_budgets(), strategy=strategy)
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path / "parts", toy_budgets(), evaluator=Interrupted(41), strategy=strategy)
    resumed = search(tmp_path / "parts", toy_budgets(), strategy=strategy)
    assert [trial.id for trial in resumed.trials] == [trial.id for trial in whole.trials]


def test_an_unknown_sampler_is_one_line_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"'annealing' is none of tpe, gp, nsga2, nsga3, cmaes, random") as caught:
        STRATEGIES.parse("optuna:annealing")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("package", ["optuna", "cmaes"])
def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    for text in ("optuna", "optuna:gp"):
        with pytest.raises(UserError, match=r'pip install "latseg\[optuna\]"'):
            STRATEGIES.parse(text)


def test_the_generation_size_is_the_population() -> None:
    assert make_strategy("optuna", ToySpace(), toy_budgets()).generation_size == 24
    assert make_strategy("optuna:nsga2,generation_size=7", ToySpace(), toy_budgets()).generation_size == 7
    for sampler in ("nsga2", "nsga3", "cmaes"):
        with quiet_optuna():
            made = SAMPLERS[sampler].make(0, 7)
        assert 7 in (getattr(made, "population_size", None), getattr(made, "_popsize", None))


def test_optuna_logs_as_before(capsys: pytest.CaptureFixture[str]) -> None:
    before = optuna.logging.get_verbosity()
    _asked("nsga3", toy_budgets(), _trials(1))
    assert optuna.logging.get_verbosity() == before
    assert capsys.readouterr() == ("", "")


def test_only_tpe_and_gp_have_categories() -> None:
    slots = (Slot("kind", 3), Slot("width", 4, ordered=True))
    assert {name: type(one).__name__ for name, one in distributions(slots, categories=True).items()} == {
        "kind": "CategoricalDistribution", "width": "IntDistribution",
    }  # fmt: skip
    assert {type(one).__name__ for one in distributions(slots, categories=False).values()} == {"IntDistribution"}
    assert {name for name, sampler in SAMPLERS.items() if sampler.categories} == {"tpe", "gp"}
