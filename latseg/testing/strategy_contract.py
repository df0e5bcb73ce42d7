"""The conformance suite of strategies. Subclass it, name the class ``Test...``, and say how to make the strategy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from random import Random
from statistics import mean, pstdev
from typing import ClassVar

import pytest

from latseg.testing.formula_trials import Quality, formula_trials
from latseg.testing.recording_evaluator import RecordingEvaluator
from search.architecture import Architecture
from search.constraints.budgets import Budgets
from search.constraints.feasible_sampler import feasible_sampler
from search.evaluators.evaluator import Evaluator
from search.loop import SearchResult, run_search
from search.proposals import propose
from search.settings import SearchSettings
from search.spaces.space import SearchSpace
from search.strategies.random_search import RandomSearch
from search.strategies.strategy import Strategy
from search.trial import Trial
from search.trials import TrialStore

_TRIALS = 43
"""Of a short search; no multiple of usual generations."""


class StrategyContract(ABC):
    """The contract of ``search.strategies.strategy.Strategy``."""

    asked: ClassVar[int] = 16
    """Architectures that a test asks for at once, and trials of a generation at most; fewer where one takes long."""
    learner: ClassVar[bool] = False
    """Whether it proposes better nets than random search does, once it knows 80 trials."""

    @abstractmethod
    def make(self, seed: int = 0) -> Strategy:
        """A fresh strategy whose generations have at most ``asked`` trials."""

    @abstractmethod
    def space(self) -> SearchSpace:
        """The strategy's space."""

    @abstractmethod
    def budgets(self) -> Budgets:
        """The strategy's budgets, which refuse a part of the space."""

    def preparation(self, seed: int) -> Evaluator | None:
        """What a strategy that must be prepared is prepared with, in a folder for each seed; None for others."""
        return None

    def ready(self, seed: int = 0) -> Strategy:
        """A fresh strategy, prepared where it must be."""
        strategy, evaluator = self.make(seed), self.preparation(seed)
        if evaluator is not None:
            strategy.prepare(evaluator, feasible_sampler(self.space(), self.budgets()))
        return strategy

    def quality(self, architecture: Architecture) -> float:
        """From 0 to 1: the mean of a random number for each choice, the same in every architecture."""
        return mean(Random(f"{slot}={choice}").random() for slot, choice in architecture.choices)

    def evaluator(self, seed: int, stop_after: int | None = None) -> RecordingEvaluator:
        """With ``quality`` as its formula, and all that the strategy is prepared with; interrupts after so many."""
        return RecordingEvaluator(self.space(), self.quality, like=self.preparation(seed), stop_after=stop_after)

    def search(self, folder: Path, strategy: Strategy, evaluator: RecordingEvaluator) -> SearchResult:
        """A short search whose trials are stored in the folder; resumes what is there."""
        settings = SearchSettings(trials=_TRIALS, seed=strategy.seed, feasibility_samples=30)
        with TrialStore(folder / "trials.sqlite") as store:
            return run_search(strategy.space, strategy.budgets, evaluator, strategy, store, settings)

    def evaluated(
        self, architectures: list[Architecture], generation: int = 0, quality: Quality | None = None
    ) -> list[Trial]:
        """Trials; without a formula with a random quality that follows from the architecture."""
        formula = quality or (lambda architecture: Random(architecture.id).random())
        return formula_trials(self.space(), self.budgets(), architectures, formula, generation)

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

    def test_a_search_evaluates_once_what_keeps_the_budgets_and_stops_in_time(self, tmp_path: Path) -> None:
        evaluator = self.evaluator(9)
        result = self.search(tmp_path, self.make(9), evaluator)
        assert [trial.architecture for trial in result.trials] == evaluator.asked
        assert len(set(evaluator.asked)) == _TRIALS
        assert all(check.feasible for check in self.budgets().check_many(self.space(), evaluator.asked))
        assert result.rejected, "these budgets test nothing"
        assert result.winners[0].quality == max(trial.quality for trial in result.trials)

    def test_a_search_that_is_interrupted_again_and_again_has_the_same_trials(self, tmp_path: Path) -> None:
        """After each generation and in the middle of each."""
        for name in ("whole", "parts"):
            (tmp_path / name).mkdir()
        whole = self.search(tmp_path / "whole", self.make(10), self.evaluator(10)).trials
        step = max(1, self.make().generation_size // 2)
        for _ in range(step, _TRIALS, step):
            with pytest.raises(KeyboardInterrupt):
                self.search(tmp_path / "parts", self.make(10), self.evaluator(10, stop_after=step))
        parts = self.search(tmp_path / "parts", self.make(10), self.evaluator(10)).trials
        assert [(t.architecture, t.generation) for t in parts] == [(t.architecture, t.generation) for t in whole]

    def test_a_learner_proposes_better_nets_than_random_search(self) -> None:
        """By a third of a standard deviation in the mean over three seeds: 2.7 standard errors of no difference."""
        if not self.learner:
            pytest.skip("not declared as a learner")
        gains = []
        for seed in range(3):
            learned = self._late_qualities(self.ready(seed))
            random = self._late_qualities(RandomSearch(self.space(), self.budgets(), seed=seed))
            gains.append((mean(learned) - mean(random)) / pstdev(random))
        assert mean(gains) > 0.35

    def _late_qualities(self, strategy: Strategy) -> list[float]:
        """Of what a strategy has evaluated once it knows 80 trials, until there are 120; without a store."""
        trials: list[Trial] = []
        for generation in range(120):
            known, rng = [trial.architecture for trial in trials], Random(generation)
            size = strategy.generation_size
            feasible = propose(strategy, self.space(), self.budgets(), size, known=known, rng=rng).feasible
            new = self.evaluated([check.architecture for check in feasible], generation, self.quality)
            strategy.tell(new)
            trials += new
            if len(trials) >= 120:
                break
        return [trial.quality for trial in trials[80:120]]
