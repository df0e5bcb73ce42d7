"""The strategies by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foundation.registry import Registry

if TYPE_CHECKING:
    from search.constraints.budgets import Budgets
    from search.spaces.space import SearchSpace
    from search.strategies.strategy import Strategy

STRATEGIES: Registry[Strategy] = Registry(
    kind="strategy",
    group="latseg.strategies",
    base="search.strategies.strategy:Strategy",
    builtin={
        "evolution": "search.strategies.evolution:Evolution",
        "random": "search.strategies.random_search:RandomSearch",
        "optuna": "search.strategies.optuna_sampler:OptunaSampler",
        "proxyless": "search.strategies.proxyless:Proxyless",
        "sgas": "search.strategies.sgas:SGAS",
    },
)


def make_strategy(text: str, space: SearchSpace, budgets: Budgets, *, seed: int = 0) -> Strategy:
    """The strategy that ``NAME[:KEY=VALUE,...]`` names, without trials.

    Raises:
        UserError: no such strategy or option.
    """
    strategy, options = STRATEGIES.parse(text)
    return strategy(space, budgets, seed=seed, **options)
