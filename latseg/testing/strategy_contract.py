"""The conformance suite of strategies. Subclass it, name the class ``Test...``, and say how to make the strategy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from random import Random
from typing import ClassVar

from search.architecture import Architecture
from search.constraints.budgets import Budgets
from search.constraints.feasible_sampler import feasible_sampler
from search.evaluators.evaluator import Evaluator
from search.spaces.space import SearchSpace
from search.strategies.strategy import Strategy
from search.trial import Trial


class StrategyContract(ABC):
    """The contract of ``search.strategies.strategy.Strategy``."""

    asked: ClassVar[int] = 16
    """Architectures that a test asks for at once, and trials of a generation at most; fewer where one takes long."""

    @abstractmethod
    def make(self, seed: int = 0) -> Strategy:
        """A fresh strategy whose generations have at most ``asked`` trials."""

    @abstractmethod
    def space(self) -> SearchSpace:
        """The strategy's space."""

    @abstractmethod
    def budgets(self) -> Budgets:
        """The strategy's budgets."""

    def evaluator(self, seed: int) -> Evaluator | None:
        """What a strategy that must be prepared is prepared with, in a folder for each seed; None for others."""
        return None

    def ready(self, seed: int = 0) -> Strategy:
        """A fresh strategy, prepared where it must be."""
        strategy, evaluator = self.make(seed), self.evaluator(seed)
        if evaluator is not None:
            strategy.prepare(evaluator, feasible_sampler(self.space(), self.budgets()))
        return strategy

    def evaluated(self, architectures: list[Architecture], generation: int = 0) -> list[Trial]:
        """Trials with a random quality that follows from the architecture."""
        checks = self.budgets().check_many(self.space(), architectures, predict_all=True)
        return [
            Trial(
                architecture=check.architecture,
                generation=generation,
                parameters=check.parameters,
                flops=check.flops or 0,
                predicted_ms=check.predicted_ms,
                upper_ms=check.upper_ms,
                quality=Random(check.architecture.id).random(),
                seconds=0.0,
                created="",
            )
            for check in checks
        ]

    def after(self, seed: int, generations: int) -> tuple[Strategy, list[list[Trial]]]:
        """A strategy after some generations, and their trials."""
        strategy, history = self.ready(seed), []
        for generation in range(generations):
            history.append(self.evaluated(strategy.ask(self.asked), generation))
            strategy.tell(history[-1])
        return strategy, history

    def test_has_a_name(self) -> None:
        assert self.make().name

    def test_proposes_members_of_the_space_at_every_stage(self) -> None:
        strategy, history = self.after(0, 4)
        for architecture in [
            *strategy.ask(self.asked),
            *(trial.architecture for trials in history for trial in trials),
        ]:
            self.space().validate(architecture)

    def test_never_proposes_the_same_twice(self) -> None:
        strategy, history = self.after(1, 5)
        seen = [trial.architecture for trials in history for trial in trials]
        seen += strategy.ask(self.asked // 2)
        seen += strategy.ask(self.asked // 2)
        assert len(set(seen)) == len(seen)

    def test_gives_at_most_the_wanted_number(self) -> None:
        strategy, _ = self.after(2, 3)
        assert len(strategy.ask(5)) <= 5
        assert strategy.ask(0) == []

    def test_ask_without_tell_gives_others(self) -> None:
        strategy, _ = self.after(3, 3)
        first, second = strategy.ask(self.asked // 2), strategy.ask(self.asked // 2)
        assert first
        assert second
        assert not set(first) & set(second)

    def test_follows_from_the_seed(self) -> None:
        assert self.after(4, 3)[0].ask(self.asked // 2) == self.after(4, 3)[0].ask(self.asked // 2)
        assert self.after(4, 3)[0].ask(self.asked // 2) != self.after(5, 3)[0].ask(self.asked // 2)

    def test_continues_from_replayed_trials(self) -> None:
        strategy, history = self.after(6, 4)
        resumed = self.ready(6)
        resumed.tell([trial for trials in history for trial in trials])
        assert resumed.ask(self.asked) == strategy.ask(self.asked)

    def test_known_trials_change_nothing(self) -> None:
        strategy, history = self.after(7, 3)
        other, _ = self.after(7, 3)
        strategy.tell(history[0])
        assert strategy.ask(self.asked // 2) == other.ask(self.asked // 2)

    def test_no_trials_change_nothing(self) -> None:
        strategy = self.ready(8)
        strategy.tell([])
        assert strategy.ask(self.asked // 2) == self.ready(8).ask(self.asked // 2)
