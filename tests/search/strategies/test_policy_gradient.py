"""Strategies with a controller: what they learn from, and what their options do."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from random import Random
from statistics import mean

import pytest
import torch

from search.architecture import Architecture
from search.strategies.controller import entropy
from search.strategies.policy import Lesson, Policy
from search.strategies.policy_gradient import PolicyGradient
from search.strategies.ppo import Ppo
from search.strategies.registry import make_strategy
from tests.search.strategies.landscapes import BUDGETS, SPACE, searched, slower
from tests.search.toy import CHOICES, quality_of

CONTROLLERS = ["reinforce", "ppo"]
NAMES = list(CHOICES)


def probabilities(strategy: PolicyGradient, choices: dict[str, int], slot: str) -> list[float]:
    """Of each choice of a slot, given those before it."""
    controller = strategy._trained().controller
    with torch.no_grad():
        table = controller.log_probabilities(torch.tensor([[choices[name] for name in NAMES]]))
    found: list[float] = table[0, NAMES.index(slot), : CHOICES[slot]].exp().tolist()
    return found


@pytest.mark.parametrize("name", CONTROLLERS)
def test_slots_without_effect_are_not_learned(name: str) -> None:
    """Where an empty first stage is best, its kernel is 0 in each good net, and still no kernel is preferred."""
    strategy = make_strategy(name, SPACE, BUDGETS)
    assert isinstance(strategy, PolicyGradient)
    strategy.tell(searched("random", lambda architecture: 0.9 if architecture["depth0"] == 0 else 0.2)[1])
    choices = dict.fromkeys(NAMES, 0)
    assert probabilities(strategy, choices, "depth0")[0] > 0.7
    assert max(probabilities(strategy, {**choices, "depth0": 2}, "kernel0")) < 0.5


@pytest.mark.parametrize("name", CONTROLLERS)
def test_it_learns_from_what_was_evaluated_whoever_proposed_it(name: str) -> None:
    """As after a repair, or beside another strategy."""
    strategy = make_strategy(name, SPACE, BUDGETS, seed=2)
    assert isinstance(strategy, PolicyGradient)
    _, others = searched("random", quality_of)
    strategy.tell(others)
    assert mean(map(quality_of, strategy.ask(40))) > mean(trial.quality for trial in others) + 0.1


@pytest.fixture
def lessons(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The sizes of the generations that are learned from."""
    learned: list[int] = []
    lesson = Policy.lesson

    def counted(
        self: Policy, generation: list[tuple[Architecture, float]], effective: list[tuple[bool, ...]]
    ) -> Lesson:
        learned.append(len(generation))
        return lesson(self, generation, effective)

    monkeypatch.setattr(Policy, "lesson", counted)
    return learned


def test_each_generation_is_learned_once_and_all_of_them_again_where_a_reward_changed(lessons: list[int]) -> None:
    strategy, trials = searched("ppo:latency=0.6", quality_of, generations=5)
    assert lessons == [10] * 4
    strategy.tell(trials)
    strategy.ask(3)
    strategy.ask(3)
    assert lessons == [10] * 5
    strategy.tell(slower(trials))
    strategy.ask(3)
    assert lessons == [10] * 10


@pytest.mark.parametrize("name", CONTROLLERS)
def test_it_learns_in_one_thread_and_touches_nothing_global(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    learned_with, ascend = set(), Policy.ascend
    monkeypatch.setattr(
        Policy, "ascend", lambda *arguments: learned_with.add(torch.get_num_threads()) or ascend(*arguments)
    )
    threads, before = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(2)
    try:
        searched(name, quality_of, generations=3)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert learned_with == {1}
    assert torch.equal(torch.get_rng_state(), before)


def mean_entropy(strategy: PolicyGradient) -> float:
    policy = strategy._trained()
    sampled = torch.tensor([list(each.values()) for each in policy.sample(50, 0)])
    with torch.no_grad():
        return entropy(policy.controller.log_probabilities(sampled)).mean().item()


def after(text: str) -> PolicyGradient:
    strategy, _ = searched(text, quality_of, generations=8)
    assert isinstance(strategy, PolicyGradient)
    return strategy


@pytest.mark.parametrize("name", CONTROLLERS)
def test_the_entropy_bonus_keeps_choices_open(name: str) -> None:
    assert mean_entropy(after(f"{name}:entropy=1")) > mean_entropy(after(f"{name}:entropy=0")) + 0.05


@pytest.mark.parametrize("name", CONTROLLERS)
def test_a_larger_learning_rate_decides_sooner(name: str) -> None:
    assert mean_entropy(after(f"{name}:learning_rate=0.05")) < mean_entropy(after(f"{name}:learning_rate=0.005")) - 0.05


def change(clip: float, epochs: int) -> float:
    """Largest change of a log-probability by one generation."""
    strategy = Ppo(SPACE, BUDGETS, seed=0, clip=clip, epochs=epochs, entropy=0.0, learning_rate=0.02)
    architectures = SPACE.sample(10, Random(0))
    lesson = strategy._trained().lesson(
        [(architecture, quality_of(architecture)) for architecture in architectures],
        [strategy._effective_in(architecture) for architecture in architectures],
    )
    before, _ = strategy._trained().log_probability(lesson)
    strategy._learn(strategy._trained(), lesson)
    after_it, _ = strategy._trained().log_probability(lesson)
    return (after_it - before).abs().max().item()


def test_ppo_clips_the_ratio_and_takes_several_steps() -> None:
    assert change(clip=0.05, epochs=40) < 0.5 * change(clip=0.9, epochs=40)
    assert change(clip=0.9, epochs=10) > 1.5 * change(clip=0.9, epochs=1)


def advantages(policy: Policy, rewards: tuple[float, float], effective: tuple[bool, bool]) -> list[float]:
    """Of two architectures, in the last slot, which has an effect in some of them; all others have none."""
    generation = list(zip(SPACE.sample(2, Random(0)), rewards, strict=True))
    masks = [(False,) * (len(NAMES) - 1) + (each,) for each in effective]
    found = policy.lesson(generation, masks).advantages
    assert not found[:, :-1].any()
    return [value.item() for value in found[:, -1]]


def test_advantages_are_above_a_moving_average_of_the_slot() -> None:
    policy = Policy(SPACE.slots, seed=0, learning_rate=0.1)
    assert advantages(policy, (0.9, 0.1), (False, False)) == [0.0, 0.0]
    assert advantages(policy, (0.2, 0.4), (True, True)) == pytest.approx([-1.0, 1.0])
    # The average was .3, to which the next mean of .4 adds a fifth of the difference.
    assert advantages(policy, (0.3, 0.5), (True, True)) == pytest.approx([0.0, math.sqrt(2)], abs=1e-5)
    assert advantages(policy, (0.32, 0.42), (True, True)) == pytest.approx([0.0, math.sqrt(2)], abs=1e-5)
    # Now .33; what the slot has no effect on is no part of it.
    before = policy._baseline[-1].item()
    assert before == pytest.approx(0.33)
    assert advantages(policy, (0.9, 0.33), (False, True)) == pytest.approx([0.0, 0.0], abs=1e-3)
    assert policy._baseline[-1].item() == pytest.approx(before)


def test_looking_a_controller_up_loads_no_torch() -> None:
    code = (
        "import sys; from search.strategies.registry import STRATEGIES;"
        "STRATEGIES.parse('ppo|reinforce|regularised-evolution'); print('torch' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
