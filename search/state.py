"""The state of one search. All of it follows from the store and the arguments, so that a search can be resumed."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from foundation.progress import OnProgress
from search.architecture import Architecture
from search.constraints.budgets import Budgets, ConstraintCheck
from search.constraints.feasibility import Feasibility
from search.constraints.feasible_sampler import feasible_sampler
from search.evaluators.evaluator import Evaluator
from search.progress import SearchProgress
from search.proposals import Proposals, propose
from search.settings import SearchSettings
from search.spaces.space import SearchSpace
from search.strategies.strategy import Strategy
from search.trial import Trial
from search.trials import TrialStore, now
from search.winners.selection import predicted_again, won

_logger = logging.getLogger(__name__)


@dataclass
class SearchState:
    """Trials so far, the current budgets, and the next generation."""

    space: SearchSpace
    budgets: Budgets
    evaluator: Evaluator
    strategy: Strategy
    store: TrialStore
    settings: SearchSettings
    feasibility: Feasibility
    on_progress: OnProgress
    first_generation: int = 0
    """Earlier ones are trials of other runs."""

    def __post_init__(self) -> None:
        self._prepared = False
        self.trials = self.store.trials()
        # The last generation may be incomplete: it is proposed again (the same candidates, by the same seed), what is
        # stored of it is not evaluated again, and the strategy receives it when it is complete.
        self.generation = max((trial.generation for trial in self.trials), default=0)
        self.generation = max(self.generation, self.first_generation)
        self.constrain(self.budgets)

    def constrain(self, budgets: Budgets) -> None:
        """Replaces the budgets: predicts the trials again, where needed, and passes both to the strategy."""
        self.budgets = budgets
        before = self.trials
        self.trials = predicted_again(before, self.space, budgets)
        pairs = zip(self.trials, before, strict=True)
        self.store.add_predictions([new for new, old in pairs if new.predictions != old.predictions])
        self._inform()

    def reload(self) -> None:
        """Reads the results of the trials again after device results were added; the predictions stay."""
        results = {trial.architecture: trial.results for trial in self.store.measured_trials()}
        self.trials = [replace(trial, results=results.get(trial.architecture, ())) for trial in self.trials]
        self._inform()

    def _inform(self) -> None:
        """Passes the budgets and the trials of complete generations to the strategy."""
        self.exhausted = False
        self.strategy.constrain(self.budgets)
        self.strategy.tell([trial for trial in self.trials if trial.generation < self.generation])

    def evolve(self, until: int) -> None:
        """Runs generations until there are so many trials, or until no new feasible candidate is found."""
        while len(self.trials) < until and not self.exhausted:
            self.exhausted = not self._run_generation(until)
        complete = [trial for trial in self.trials if trial.generation == self.generation]
        if complete and len(self.trials) == until:  # stored before an interruption, and cut short by this stop
            self.strategy.tell(complete)
            self.generation += 1

    def evolve_once(self, stop: int) -> int:
        """As ``evolve``; returns the number of trials after which it ended, which is the same after an interruption.

        Where no candidate was found the first time, none is sought again: measurements may have changed the budgets.
        """
        until = self.store.exhaustions().get(stop, stop)
        self.evolve(until)
        if until == stop and len(self.trials) < stop:
            until = len(self.trials)
            self.store.add_exhaustion(stop, until)
        return until

    def went_beyond(self, reached: int) -> bool:
        """Whether the search had gone on after the stop at so many trials before it was interrupted.

        Then it had measured there what it would. Under the bounds of today it might measure more.
        """
        return len(self.trials) > reached

    def prepare(self) -> None:
        """Has evaluator and strategy prepared, once: before the first proposal, or before a stored one is measured."""
        if not self._prepared:
            self.evaluator.prepare(self._sample, self.on_progress)
            self.strategy.prepare(self.evaluator, self._sample, self.on_progress)
            self._prepared = True

    def _sample(self, count: int, rng: Random) -> list[Architecture]:
        """Nets that keep the budgets; at least the safest one."""
        anchors = [self.feasibility.closest.architecture]
        return feasible_sampler(self.space, self.budgets, anchors=anchors)(count, rng) or anchors

    def report(self, stage: str, done: int, total: int, note: str = "", *, trial: Trial | None = None) -> None:
        """Calls the progress callback; ``trial`` is the one that was just evaluated or measured."""
        best = max(self.trials, key=lambda trial: trial.quality, default=None)
        self.on_progress(
            SearchProgress(
                stage=stage,
                done=done,
                total=total,
                note=note,
                feasible=len(self.trials),
                rejected=self.store.rejected(),
                best_quality=None if best is None else best.quality,
                best_latency_ms={} if best is None else best.predicted_ms,
                certified=sum(trial.certified for trial in won(self.trials)),
                trial=trial,
            )
        )

    def _run_generation(self, until: int) -> list[Trial]:
        """The generation's trials, those included that were stored before an interruption."""
        stored = {trial.architecture for trial in self.trials if trial.generation == self.generation}
        size = min(self.strategy.generation_size, until - len(self.trials) + len(stored))
        self.prepare()
        proposals = self._propose(size)
        new = [check for check in proposals.feasible if check.architecture not in stored]
        self.store.add_rejections(self.generation, proposals.violating, proposals.repaired)
        _logger.debug("generation %d: %d new candidates", self.generation, len(new))
        self._evaluate(new[: size - len(stored)])
        complete = [trial for trial in self.trials if trial.generation == self.generation]
        if complete:  # one without trials takes no number: nothing of it is stored
            self.strategy.tell(complete)
            self.generation += 1
        return complete

    def _propose(self, size: int) -> Proposals:
        # A list, not a set: its order decides what is sampled from it.
        known = [trial.architecture for trial in self.trials if trial.generation < self.generation]
        safest = self.feasibility.closest
        proposals = propose(
            self.strategy,
            self.space,
            self.budgets,
            size,
            known=known,
            anchors=[safest.architecture],
            rng=Random(f"{self.settings.seed}/repair/{self.generation}"),
        )
        if self.generation > self.first_generation or safest.architecture in known:
            return proposals
        # The safest net is always among the trials: if any net of the space can be certified, it can.
        return Proposals(_first(safest, proposals.feasible, size), proposals.violating, proposals.repaired)

    def _evaluate(self, checks: Sequence[ConstraintCheck]) -> None:
        """The whole generation goes to the evaluator; every estimate is stored as soon as it is known."""
        assert all(check.feasible for check in checks)
        began = time.monotonic()
        qualities = self.evaluator.qualities([check.architecture for check in checks])
        for check, quality in zip(checks, qualities, strict=True):
            self._add(check, quality, time.monotonic() - began)
            self.report("search", len(self.trials), self.settings.trials, trial=self.trials[-1])
            began = time.monotonic()

    def _add(self, check: ConstraintCheck, quality: float, seconds: float) -> None:
        assert check.flops is not None
        trial = Trial(
            architecture=check.architecture,
            generation=self.generation,
            parameters=check.parameters,
            flops=check.flops,
            predicted_ms=check.predicted_ms,
            upper_ms=check.upper_ms,
            quality=quality if math.isfinite(quality) else 0.0,
            seconds=seconds,
            created=now(),
            predictions=check.predictions,
        )
        _logger.debug("evaluated %s: quality %.4f, bounds %s", trial.id, trial.quality, trial.upper_ms)
        self.store.add(trial)
        self.trials.append(trial)


def _first(safest: ConstraintCheck, others: Sequence[ConstraintCheck], size: int) -> list[ConstraintCheck]:
    rest = [check for check in others if check.architecture != safest.architecture]
    return [safest, *rest][:size]
