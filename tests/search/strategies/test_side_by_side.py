"""Strategies that take turns."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation.errors import UserError
from latseg.testing.recording_evaluator import RecordingEvaluator
from search.constraints.budgets import Budgets
from search.constraints.feasible_sampler import feasible_sampler
from search.evaluators.evaluator import Evaluator
from search.options import BudgetOptions, DataOptions, SearchOptions
from search.run_config import RunConfig, read_config, write_config
from search.strategies.random_search import RandomSearch
from search.strategies.registry import STRATEGIES, make_strategy
from search.strategies.side_by_side import SideBySide
from tests.search.strategies.gates_task import QUICK, TaskEvaluator
from tests.search.strategies.landscapes import BUDGETS, SPACE, trials_of
from tests.search.toy import quality_of

TEXT = "evolution:population=10|ppo:latency=0.6,generation_size=5|random:generation_size=7"


def test_each_generation_is_proposed_by_the_next_member_who_knows_all_trials() -> None:
    strategy, trials = make_strategy(TEXT, SPACE, BUDGETS, seed=4), []
    for generation in range(7):
        text = TEXT.split("|")[generation % 3]
        alone = make_strategy(text, SPACE, BUDGETS, seed=3 * 4 + generation % 3)
        alone.tell(trials)
        assert strategy.generation_size == 5, "a search divides its trials by it, also where it is resumed"
        proposals = strategy.ask(strategy.generation_size)
        assert proposals == alone.ask(strategy.generation_size)
        new = trials_of(proposals, quality_of, generation)
        strategy.tell(new)
        trials += new


def test_equal_members_propose_different_nets() -> None:
    strategy = make_strategy("random|random", SPACE, BUDGETS)
    assert isinstance(strategy, SideBySide)
    first, second = (set(member.ask(20)) for member in strategy.members)
    assert first != second


def test_no_seed_is_that_of_a_member_of_another_run() -> None:
    seeds = [
        member.seed
        for seed in range(5)
        for member in SideBySide(SPACE, BUDGETS, seed=seed, members=[(RandomSearch, {})] * 3).members
    ]
    assert len(set(seeds)) == len(seeds)


def test_members_are_prepared_and_constrained() -> None:
    strategy = make_strategy("random|evolution", SPACE, BUDGETS)
    assert isinstance(strategy, SideBySide)
    prepared: list[Evaluator] = []
    for member in strategy.members:
        member.prepare = lambda evaluator, sampler, on_progress: prepared.append(evaluator)  # type: ignore[method-assign]
    evaluator, budgets = RecordingEvaluator(SPACE, quality_of), Budgets()
    strategy.prepare(evaluator, SPACE.sample)
    strategy.constrain(budgets)
    assert prepared == [evaluator] * 2
    assert all(each.budgets is budgets for each in (strategy, *strategy.members))


@pytest.mark.parametrize(
    ("wrong", "said"), [("ppo|annealing", "annealing"), ("ppo|", "''"), ("ppo|ppo:depth=3", "depth")]
)
def test_a_wrong_member_is_named(wrong: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        STRATEGIES.parse(wrong)


def test_one_strategy_is_that_strategy_and_spaces_do_not_count() -> None:
    assert isinstance(make_strategy("random", SPACE, BUDGETS), RandomSearch)
    strategy = make_strategy("random | ppo:epochs=7", SPACE, BUDGETS)
    assert isinstance(strategy, SideBySide)
    assert [member.name for member in strategy.members] == ["random", "ppo"]


def test_a_run_keeps_the_text(tmp_path: Path) -> None:
    budgets, data = BudgetOptions(latency_ms={"simulated": 2.0}), DataOptions(source="synthetic:8", size=(64, 64))
    config = RunConfig.create(budgets, data, search=SearchOptions(strategy=TEXT))
    write_config(tmp_path, config)
    assert read_config(tmp_path).strategy == TEXT
    with pytest.raises(UserError, match="annealing"):
        RunConfig.create(budgets, data, search=SearchOptions(strategy="random|annealing"))


def test_two_of_one_kind_train_their_own_gates(tmp_path: Path) -> None:
    strategy = make_strategy(f"proxyless:{QUICK},updates=1|proxyless:{QUICK},updates=2", SPACE, BUDGETS)
    strategy.prepare(TaskEvaluator(tmp_path), feasible_sampler(SPACE, BUDGETS))
    assert len(list(tmp_path.glob("*.safetensors"))) == 2
    assert strategy.ask(2)
