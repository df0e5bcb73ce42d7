"""NSGA-II on quality, latency and parameters, constraint first.

Deb, Pratap, Agarwal, Meyarivan, "A fast and elitist multiobjective genetic algorithm: NSGA-II", IEEE Transactions on
Evolutionary Computation 6(2), 2002. Survivors are taken from all trials so far: evaluations are dear, sorting is not.
"""

from __future__ import annotations

from random import Random

import numpy as np

from search.architecture import Architecture
from search.constraints.budgets import Budgets
from search.pareto import ranking
from search.spaces.space import SearchSpace
from search.strategies.strategy import Strategy
from search.trial import Trial


class Evolution(Strategy):
    """Tournament, crossover and mutation among the best ``population`` trials.

    Three objectives: quality (up), worst ratio of bound to budget over the devices (down), parameters (down). The
    first generation is a stratified sample; a tenth of each later one is too, against loss of diversity. Half of the
    children (``quality_share``) descend from the trials of best quality instead of from the best ranked: a front of
    three objectives is wide, and winners are taken from one end of it.
    """

    name = "evolution"

    def __init__(
        self,
        space: SearchSpace,
        budgets: Budgets,
        *,
        seed: int = 0,
        population: int = 24,
        crossover_rate: float = 0.5,
        immigrants: float = 0.1,
        quality_share: float = 0.5,
    ) -> None:
        super().__init__(space, budgets, seed=seed)
        self.population = population
        self.crossover_rate = crossover_rate
        self.immigrants = immigrants
        self.quality_share = quality_share

    def _propose(self, count: int, rng: Random) -> list[Architecture]:
        if len(self._trials) < self.population:
            return self.space.sample(2 * count, rng)
        pools = self._survivors()
        known: set[Architecture] = set(self._trials) | self._asked
        strangers = max(1, round(count * self.immigrants)) if self.immigrants else 0
        proposals = self.space.sample(strangers, rng) if strangers else []
        for _ in range(20 * count):
            if len(proposals) >= count:
                break
            child = self._child(pools, rng)
            if child not in known:
                known.add(child)
                proposals.append(child)
        return proposals

    def _survivors(self) -> tuple[list[Trial], list[Trial]]:
        """The best trials by rank and, of those that keep the budgets, by quality; best first, as tournaments need."""
        trials = list(self._trials.values())
        objectives = np.array([self._objectives(trial) for trial in trials], dtype=np.float64)
        violations = np.array([self.budgets.excess(trial.parameters, trial.upper_ms) for trial in trials])
        order = ranking(objectives, violations)[: self.population]
        best = sorted(range(len(trials)), key=lambda i: (violations[i], -trials[i].quality))[: self.population]
        return [trials[i] for i in order], [trials[i] for i in best]

    def _objectives(self, trial: Trial) -> tuple[float, float, float]:
        return -trial.quality, self.budgets.latency_ratio(trial.upper_ms), float(trial.parameters)

    def _child(self, pools: tuple[list[Trial], list[Trial]], rng: Random) -> Architecture:
        pool = pools[rng.random() < self.quality_share]
        first = _tournament(pool, rng)
        if rng.random() < self.crossover_rate:
            child = self.space.crossover(first, _tournament(pool, rng), rng)
            # A child that equals a parent teaches nothing; it and a third of the others are mutated on top.
            if child not in self._trials and rng.random() < 2 / 3:
                return child
            first = child
        return self.space.mutate(first, rng)


def _tournament(pool: list[Trial], rng: Random) -> Architecture:
    return pool[min(rng.randrange(len(pool)), rng.randrange(len(pool)))].architecture
