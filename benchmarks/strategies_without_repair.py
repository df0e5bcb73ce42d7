"""Optuna's samplers alone: they propose whatever they like, and learn of the budgets in one of two ways.

- Pruned: a proposal that violates a budget is not evaluated, and the sampler is told that it was pruned. It gets as
  many proposals as a strategy has trials, and goes on until it has as many evaluations, or ten times the proposals.
- Constraints: every proposal is evaluated, and the sampler is told its quality and by how much it exceeds each budget,
  as Optuna's own constraints are meant. An evaluation of a net that violates a budget is lost.
"""

from __future__ import annotations

import time

import optuna
from strategies_problem import Problem
from strategies_summary import Row

from search.constraints.budgets import ConstraintCheck
from search.optuna_package import distributions, quiet_optuna
from search.strategies.optuna_sampler import SAMPLERS

MOST_PROPOSALS = 10
"""For each evaluation that is wanted of a sampler whose proposals are pruned."""
POPULATION = 24
"""As with repair."""


def without_repair(problem: Problem, name: str, seed: int) -> dict[str, Row]:
    """By the way in which the sampler learns of the budgets and by what was counted."""
    pruned, told = Study(problem, name, seed), StudyWithConstraints(problem, name, seed)
    pruned.propose(problem.trials)
    found = {f"{problem.trials} proposals": pruned.row()}
    while pruned.usable < problem.trials and pruned.proposals < MOST_PROPOSALS * problem.trials:
        pruned.propose(1)
    told.propose(problem.trials)
    return found | {
        f"{problem.trials} evaluations": pruned.row(),
        f"constraints, {problem.trials} evaluations": told.row(),
    }


class Study:
    """A sampler that proposes one net after another; what violates a budget is pruned."""

    def __init__(self, problem: Problem, name: str, seed: int) -> None:
        self._problem, self._sampler = problem, SAMPLERS[name]
        self._slots = distributions(problem.space.slots, categories=self._sampler.categories)
        self._qualities: list[float] = []
        self._ratios: list[tuple[float, float]] = []
        self._seconds = 0.0
        self.proposals = 0
        with quiet_optuna():
            directions = ["minimize"] * 3 if self._sampler.many_objectives else ["maximize"]
            self._study = optuna.create_study(sampler=self._sampler.make(seed, POPULATION), directions=directions)

    @property
    def usable(self) -> int:
        """Proposals that kept the budgets."""
        return len(self._qualities)

    def propose(self, count: int) -> None:
        """Asks for so many proposals and tells their results."""
        with quiet_optuna():
            for _ in range(count):
                began = time.process_time()
                asked = self._study.ask(self._slots)
                self._seconds += time.process_time() - began
                self.proposals += 1
                net = self._problem.space.nearest(asked.params)
                (check,) = self._problem.budgets.check_many(self._problem.space, [net], predict_all=True)
                self.tell(asked, check)

    def tell(self, asked: optuna.Trial, check: ConstraintCheck) -> None:
        """What the sampler learns of a proposal."""
        if check.feasible:
            self._study.tell(asked, self._evaluated(check))
        else:
            self._study.tell(asked, state=optuna.trial.TrialState.PRUNED)

    def _evaluated(self, check: ConstraintCheck) -> list[float]:
        (quality,) = self._problem.evaluator.quality([check.architecture])
        ratios = self._problem.ratios(check.parameters, check.upper_ms)
        if check.feasible:
            self._qualities.append(quality)
            self._ratios.append(ratios)
        return [-quality, *ratios] if self._sampler.many_objectives else [quality]

    def evaluations(self) -> int:
        """Nets that were evaluated."""
        return self.usable

    def row(self) -> Row:
        """What it has reached so far."""
        return self._problem.outcome(self._qualities, self._ratios) | {
            "evaluations": self.evaluations(),
            "usable_share": self.usable / self.proposals,
            "proposals": self.proposals,
            "seconds_per_100_proposals": 100 * self._seconds / self.proposals,
        }


class StudyWithConstraints(Study):
    """Every proposal is evaluated, and told with Optuna's constraints."""

    def tell(self, asked: optuna.Trial, check: ConstraintCheck) -> None:
        """Its quality, and value over limit less one for each budget: at most 0 where the budget is kept."""
        latency, parameters = self._problem.ratios(check.parameters, check.upper_ms)
        asked.set_constraint("latency", latency - 1)
        asked.set_constraint("parameters", parameters - 1)
        self._study.tell(asked, self._evaluated(check))

    def evaluations(self) -> int:
        """All."""
        return self.proposals
