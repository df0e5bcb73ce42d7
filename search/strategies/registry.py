"""The strategies by name."""

from __future__ import annotations

from foundation.errors import UserError
from search.constraints.budgets import Budgets
from search.spaces.space import SearchSpace
from search.strategies.evolution import Evolution
from search.strategies.random_search import RandomSearch
from search.strategies.strategy import Strategy


def strategy_names() -> tuple[str, ...]:
    """The default one first."""
    return (Evolution.name, RandomSearch.name)


def make_strategy(name: str, space: SearchSpace, budgets: Budgets, *, seed: int = 0, population: int = 24) -> Strategy:
    """A fresh strategy.

    Raises:
        UserError: no strategy of this name.
    """
    if name == Evolution.name:
        return Evolution(space, budgets, seed=seed, population=population)
    if name == RandomSearch.name:
        return RandomSearch(space, budgets, seed=seed)
    raise UserError(
        "strategy", seen=name, expected=" or ".join(strategy_names()), remedy=f"try --strategy {Evolution.name}"
    )
