"""What every strategy must do, whatever it searches with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from random import Random

from search.architecture import Architecture
from search.constraints.budgets import Budgets
from search.spaces.space import SearchSpace
from search.strategies.strategy import Strategy
from search.trial import Trial


class StrategyContract(ABC):
    """Subclass it, say what to test, and name the class ``Test...``."""

    @abstractmethod
    def make(self, seed: int = 0) -> Strategy:
        """A fresh strategy with a population of at most 16."""

    @abstractmethod
    def space(self) -> SearchSpace:
        """The strategy's space."""

    @abstractmethod
    def budgets(self) -> Budgets:
        """The strategy's budgets."""

    def evaluated(self, architectures: list[Architecture], generation: int = 0) -> list[Trial]:
        """Trials with a quality drawn from the architecture itself."""
        verdicts = self.budgets().check_many(self.space(), architectures, predict_all=True)
        return [
            Trial(
                architecture=verdict.architecture,
                generation=generation,
                parameters=verdict.parameters,
                flops=verdict.flops or 0,
                predicted_ms=verdict.predicted_ms,
                upper_ms=verdict.upper_ms,
                quality=Random(verdict.architecture.id).random(),
                seconds=0.0,
                created="",
            )
            for verdict in verdicts
        ]

    def told(self, seed: int, generations: int) -> tuple[Strategy, list[list[Trial]]]:
        """A strategy that has been through some generations, and these."""
        strategy, history = self.make(seed), []
        for generation in range(generations):
            history.append(self.evaluated(strategy.ask(16), generation))
            strategy.tell(history[-1])
        return strategy, history

    def test_has_a_name(self) -> None:
        assert self.make().name

    def test_proposes_members_of_the_space_at_every_stage(self) -> None:
        strategy, history = self.told(0, 4)
        for architecture in [*strategy.ask(16), *(trial.architecture for trials in history for trial in trials)]:
            self.space().validate(architecture)

    def test_never_proposes_the_same_twice(self) -> None:
        strategy, history = self.told(1, 5)
        seen = [trial.architecture for trials in history for trial in trials]
        seen += strategy.ask(8)
        seen += strategy.ask(8)
        assert len(set(seen)) == len(seen)

    def test_gives_at_most_what_was_asked_for(self) -> None:
        strategy, _ = self.told(2, 3)
        assert len(strategy.ask(5)) <= 5
        assert strategy.ask(0) == []

    def test_asking_again_without_telling_gives_others(self) -> None:
        strategy, _ = self.told(3, 3)
        first, second = strategy.ask(8), strategy.ask(8)
        assert first
        assert second
        assert not set(first) & set(second)

    def test_follows_from_the_seed(self) -> None:
        assert self.told(4, 3)[0].ask(8) == self.told(4, 3)[0].ask(8)
        assert self.told(4, 3)[0].ask(8) != self.told(5, 3)[0].ask(8)

    def test_goes_on_from_replayed_trials(self) -> None:
        strategy, history = self.told(6, 4)
        resumed = self.make(6)
        resumed.tell([trial for trials in history for trial in trials])
        assert resumed.ask(16) == strategy.ask(16)

    def test_told_again_is_not_told_twice(self) -> None:
        strategy, history = self.told(7, 3)
        other, _ = self.told(7, 3)
        strategy.tell(history[0])
        assert strategy.ask(8) == other.ask(8)

    def test_learns_nothing_from_nothing(self) -> None:
        strategy = self.make(8)
        strategy.tell([])
        assert strategy.ask(8) == self.make(8).ask(8)
