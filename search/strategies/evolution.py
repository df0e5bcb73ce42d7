"""NSGA-II on quality, latency and parameters, constraint first.

Deb, Pratap, Agarwal, Meyarivan, "A fast and elitist multiobjective genetic algorithm: NSGA-II", IEEE Transactions on
Evolutionary Computation 6(2), 2002. Survivors are taken from all trials so far: evaluations are
expensive, sorting is not.
"""

from __future__ import annotations

from random import Random
from typing import Annotated

import numpy as np
from pydantic import Field
from typing_extensions import override

from foundation.plugin_options import PluginOptions
from search.architecture import Architecture
from search.constraints.budgets import Budgets
from search.objectives import objectives
from search.pareto import ranking
from search.spaces.space import SearchSpace
from search.strategies.strategy import Strategy
from search.trial import Trial

Share = Annotated[float, Field(ge=0, le=1)]


class Evolution(Strategy):
    """Tournament, crossover and mutation among the best ``population`` trials.

    Three objectives: quality (up), worst ratio of bound to budget over the devices (down), parameters (down). The
    first generation is a stratified sample; a tenth of each later one is too, against loss of diversity. Half of the
    children (``quality_share``) descend from the trials of best quality instead of from the best ranked: a front of
    three objectives is wide, and winners are taken from one end of it.

    Args:
        space: to search in.
        budgets: that the result must keep.
        seed: of everything random.
        **options: as in ``Options``.
    """

    name = "evolution"

    class Options(PluginOptions):
        """Options of the strategy."""

        population: Annotated[int, Field(ge=2)] = 24
        """Trials from which the next generation descends, and the size of a generation."""
        crossover_rate: Share = 0.5
        immigrants: Share = 0.1
        """Share of a generation that is sampled from the space."""
        quality_share: Share = 0.5
        """Share of the children that descend from the trials of best quality."""

    def __init__(self, space: SearchSpace, budgets: Budgets, *, seed: int = 0, **options: float) -> None:
        super().__init__(space, budgets, seed=seed)
        self.options = self.Options.model_validate(options)
        self.generation_size = self.options.population

    @override
    def _propose(self, count: int, rng: Random) -> list[Architecture]:
        if len(self._trials) < self.options.population:
            return self.space.sample(2 * count, rng)
        pools = self._survivors()
        known: set[Architecture] = set(self._trials) | self._proposed
        immigrants = max(1, round(count * self.options.immigrants)) if self.options.immigrants else 0
        proposals = self.space.sample(immigrants, rng) if immigrants else []
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
        values = np.array([objectives(trial, self.budgets) for trial in trials], dtype=np.float64)
        violations = np.array([self.budgets.excess(trial.parameters, trial.upper_ms) for trial in trials])
        order = ranking(values, violations, count=self.options.population)
        best = sorted(range(len(trials)), key=lambda i: (violations[i], -trials[i].quality))[: self.options.population]
        return [trials[i] for i in order], [trials[i] for i in best]

    def _child(self, pools: tuple[list[Trial], list[Trial]], rng: Random) -> Architecture:
        pool = pools[rng.random() < self.options.quality_share]
        first = _tournament(pool, rng)
        if rng.random() < self.options.crossover_rate:
            child = self.space.crossover(first, _tournament(pool, rng), rng)
            # A child that is a known trial is useless; it and a third of the others are mutated as well.
            if child not in self._trials and rng.random() < 2 / 3:
                return child
            first = child
        return self.space.mutate(first, rng)


def _tournament(pool: list[Trial], rng: Random) -> Architecture:
    return pool[min(rng.randrange(len(pool)), rng.randrange(len(pool)))].architecture
