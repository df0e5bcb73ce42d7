"""NSGA-II on quality, latency and parameters, constraint first.

Deb, Pratap, Agarwal, Meyarivan, "A fast and elitist multiobjective genetic algorithm: NSGA-II", IEEE Transactions on
Evolutionary Computation 6(2), 2002. Survivors are taken from all trials so far: evaluations are dear, sorting is not.
"""

from __future__ import annotations

from random import Random

import numpy as np

from search.budgets import Budgets
from search.pareto import ranking
from search.space import SearchSpace
from search.strategy import Strategy
from search.trial import Trial
from segmentation.architecture import Architecture


class Evolution(Strategy):
    """Tournament, crossover and mutation among the best ``population`` trials.

    Three objectives: quality (up), worst ratio of bound to budget over the devices (down), parameters (down). The
    first generation is a stratified sample; a tenth of each later one is too, against loss of diversity.
    """

    name = "evolution"

    def __init__(
        self,
        space: SearchSpace,
        budgets: Budgets,
        *,
        seed: int = 0,
        population: int = 24,
        crossover_rate: float = 0.7,
        immigrants: float = 0.1,
    ) -> None:
        super().__init__(space, budgets, seed=seed)
        self.population = population
        self.crossover_rate = crossover_rate
        self.immigrants = immigrants

    def _propose(self, count: int, rng: Random) -> list[Architecture]:
        if len(self._trials) < self.population:
            return self.space.sample(2 * count, rng)
        parents = self._survivors()
        known: set[Architecture] = set(self._trials) | self._asked
        strangers = max(1, round(count * self.immigrants)) if self.immigrants else 0
        proposals = self.space.sample(strangers, rng) if strangers else []
        for _ in range(20 * count):
            if len(proposals) >= count:
                break
            child = self._child(parents, rng)
            if child not in known:
                known.add(child)
                proposals.append(child)
        return proposals

    def _survivors(self) -> list[Architecture]:
        """The best trials, best first: position is rank, as the tournament needs it."""
        trials = list(self._trials.values())
        objectives = np.array([self._objectives(trial) for trial in trials], dtype=np.float64)
        violations = np.array([self.budgets.excess(trial.parameters, trial.upper_ms) for trial in trials])
        return [trials[i].architecture for i in ranking(objectives, violations)[: self.population]]

    def _objectives(self, trial: Trial) -> tuple[float, float, float]:
        return -trial.quality, self.budgets.latency_ratio(trial.upper_ms), float(trial.parameters)

    def _child(self, parents: list[Architecture], rng: Random) -> Architecture:
        first = self._tournament(parents, rng)
        if rng.random() < self.crossover_rate:
            child = self.space.crossover(first, self._tournament(parents, rng), rng)
            # A child that equals a parent teaches nothing; it and a third of the others are mutated on top.
            if child not in self._trials and rng.random() < 2 / 3:
                return child
            first = child
        return self.space.mutate(first, rng)

    def _tournament(self, parents: list[Architecture], rng: Random) -> Architecture:
        return parents[min(rng.randrange(len(parents)), rng.randrange(len(parents)))]
