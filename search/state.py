"""The state of one run, all of which follows from its store and its arguments: so it can be resumed."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from random import Random

from search.constraints.budgets import Budgets
from search.constraints.check import ConstraintCheck
from search.constraints.feasibility import Feasibility
from search.constraints.feasible_sampler import feasible_sampler
from search.evaluators.evaluator import Evaluator
from search.progress import OnProgress, Progress
from search.proposals import Proposals, propose
from search.settings import SearchSettings
from search.spaces.space import SearchSpace
from search.strategies.strategy import Strategy
from search.trial import Trial
from search.trials import TrialStore, now
from search.winners.selection import margins, refreshed, won


class SearchState:
    """Trials so far, the budgets as they stand, and the next generation."""

    def __init__(
        self,
        *,
        space: SearchSpace,
        budgets: Budgets,
        evaluator: Evaluator,
        strategy: Strategy,
        store: TrialStore,
        settings: SearchSettings,
        found: Feasibility,
        on_progress: OnProgress,
    ) -> None:
        self.space = space
        self.evaluator = evaluator
        self.strategy = strategy
        self.store = store
        self.settings = settings
        self.found = found
        self.on_progress = on_progress
        self._prepared = False
        self.trials = store.trials()
        # The last generation may be incomplete: it is proposed again (the same candidates, by the same seed), what is
        # stored of it is not evaluated again, and only then it is told.
        self.generation = max((trial.generation for trial in self.trials), default=0)
        self.constrain(budgets)

    def constrain(self, budgets: Budgets) -> None:
        """Budgets from now on: predicts the trials anew, derives the margins, tells the strategy."""
        self.budgets = budgets
        self.exhausted = False
        self.trials = refreshed(self.trials, self.space, budgets, self.settings.classes)
        by_id = {trial.id: trial for trial in self.trials}
        self.tightened = budgets.tightened(margins([by_id[i] for i in self.store.measured()], budgets))
        self.strategy.constrain(self.tightened)
        self.strategy.tell([trial for trial in self.trials if trial.generation < self.generation])

    def reload(self) -> None:
        """Reads the trials again after findings were added."""
        self.trials = self.store.trials()
        self.constrain(self.budgets)

    def evolve(self, until: int) -> None:
        """Runs generations until there are so many trials, or until no new feasible candidate is found."""
        while len(self.trials) < until and not self.exhausted:
            self.exhausted = not self._run_generation(until)

    def prepare(self) -> None:
        """Has the evaluator prepared, once: before the first trial, or before a stored one is measured."""
        if not self._prepared:
            anchors = [self.found.closest.architecture]
            sampler = feasible_sampler(
                self.space,
                self.budgets,
                classes=self.settings.classes,
                anchors=anchors,
            )
            self.evaluator.prepare(lambda count, rng: sampler(count, rng) or anchors, self.on_progress)
            self._prepared = True

    def report(self, stage: str, done: int, total: int, note: str = "") -> None:
        """Tells the callback."""
        best = max(self.trials, key=lambda trial: trial.quality, default=None)
        self.on_progress(
            Progress(
                stage=stage,
                done=done,
                total=total,
                feasible=len(self.trials),
                rejected=self.store.rejected(),
                best_quality=None if best is None else best.quality,
                best_latency_ms={} if best is None else best.predicted_ms,
                certified=sum(trial.certified for trial in won(self.trials)),
                note=note,
            )
        )

    def _run_generation(self, until: int) -> list[Trial]:
        """The generation's trials, those included that were stored before an interruption."""
        begun = {trial.architecture for trial in self.trials if trial.generation == self.generation}
        size = min(self.settings.population, until - len(self.trials) + len(begun))
        proposals = self._propose(size)
        new = [verdict for verdict in proposals.feasible if verdict.architecture not in begun]
        self.store.add_rejections(self.generation, proposals.broken, proposals.repaired)
        if new:
            self.prepare()
        for verdict in new[: size - len(begun)]:
            self._evaluate(verdict)
            self.report("search", len(self.trials), self.settings.trials)
        told = [trial for trial in self.trials if trial.generation == self.generation]
        self.strategy.tell(told)
        self.generation += 1
        return told

    def _propose(self, size: int) -> Proposals:
        # A list, not a set: the order decides what is drawn from it.
        known = [trial.architecture for trial in self.trials if trial.generation < self.generation]
        rng = Random(f"{self.settings.seed}/repair/{self.generation}")
        proposals = propose(
            self.strategy,
            self.space,
            self.tightened,
            size,
            known=known,
            anchors=[self.found.closest.architecture],
            rng=rng,
            classes=self.settings.classes,
        )
        if self.generation > 0:
            return proposals
        # The safest net is always among the trials: if any net of the space can be certified, it can.
        return Proposals(_first(self.found.closest, proposals.feasible, size), proposals.broken, proposals.repaired)

    def _evaluate(self, verdict: ConstraintCheck) -> None:
        assert verdict.feasible
        assert verdict.flops is not None
        began = time.monotonic()
        quality = self.evaluator.quality([verdict.architecture])[0]
        trial = Trial(
            architecture=verdict.architecture,
            generation=self.generation,
            parameters=verdict.parameters,
            flops=verdict.flops,
            predicted_ms=verdict.predicted_ms,
            upper_ms=verdict.upper_ms,
            quality=quality if math.isfinite(quality) else 0.0,
            seconds=time.monotonic() - began,
            created=now(),
        )
        self.store.add(trial)
        self.trials.append(trial)


def _first(safest: ConstraintCheck, others: Sequence[ConstraintCheck], size: int) -> list[ConstraintCheck]:
    rest = [verdict for verdict in others if verdict.architecture != safest.architecture]
    return [safest, *rest][:size]
