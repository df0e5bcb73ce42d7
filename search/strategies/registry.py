"""The strategies by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from foundation.registry import Registry

if TYPE_CHECKING:
    from search.constraints.budgets import Budgets
    from search.spaces.space import SearchSpace
    from search.strategies.strategy import Strategy

_BESIDE = "|"
"""Between strategies that take turns."""


def members_of(text: str) -> list[str]:
    """The strategies of a text; several where they are side by side, in the order of their generations."""
    return [member.strip() for member in text.split(_BESIDE)]


class StrategyRegistry(Registry["Strategy"]):
    """Strategies, and several of them side by side: ``ppo|ppo:latency=0.6|random``."""

    @override
    def parse(self, text: str) -> tuple[type[Strategy], dict[str, Any]]:
        members = [super(StrategyRegistry, self).parse(member) for member in members_of(text)]
        if len(members) == 1:
            return members[0]
        from search.strategies.side_by_side import SideBySide

        return SideBySide, {"members": members}


STRATEGIES = StrategyRegistry(
    kind="strategy",
    group="latseg.strategies",
    base="search.strategies.strategy:Strategy",
    builtin={
        "evolution": "search.strategies.evolution:Evolution",
        "random": "search.strategies.random_search:RandomSearch",
        "regularised-evolution": "search.strategies.regularised_evolution:RegularisedEvolution",
        "reinforce": "search.strategies.reinforce:Reinforce",
        "ppo": "search.strategies.ppo:Ppo",
        "optuna": "search.strategies.optuna_sampler:OptunaSampler",
        "proxyless": "search.strategies.proxyless:Proxyless",
        "sgas": "search.strategies.sgas:SGAS",
    },
)


def make_strategy(text: str, space: SearchSpace, budgets: Budgets, *, seed: int = 0) -> Strategy:
    """The strategy that ``NAME[:KEY=VALUE,...]`` names, or several joined by ``|``, without trials.

    Raises:
        UserError: no such strategy or option.
    """
    strategy, options = STRATEGIES.parse(text)
    return strategy(space, budgets, seed=seed, **options)
