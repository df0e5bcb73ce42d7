"""Gates on shared weights. Importing this module loads torch.

Cai, Zhu, Han, "ProxylessNAS: Direct Neural Architecture Search on Target Task and Hardware", ICLR 2019 (arXiv
1812.00332). ``search.strategies.gates.gate_training`` says what differs from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from typing_extensions import override

from search.constraints.budgets import Budgets
from search.spaces.space import SearchSpace
from search.strategies.gates.gate_options import Count, GateOptions
from search.strategies.gates.gate_strategy import GateStrategy
from search.strategies.gates.gate_training import OnUpdate
from search.strategies.gates.gates import Gates, Rows, sampled


class Proxyless(GateStrategy):
    """Proposes the most probable net first, then nets sampled from the gates.

    The paper derives one net, the most probable one. Here the hard budgets and the trials decide.

    Args:
        space: to search in.
        budgets: that the result must keep.
        seed: of everything random.
        **options: as in ``Options``.

    Raises:
        UserError: as ``GateStrategy``.
    """

    name = "proxyless"

    class Options(GateOptions):
        """Options of the strategy."""

        updates: Count = 300
        """Of the gates; before each of them the weights are updated, too."""

    def __init__(self, space: SearchSpace, budgets: Budgets, *, seed: int = 0, **options: float) -> None:
        self.options = self.Options.model_validate(options)
        super().__init__(space, budgets, self.options, seed=seed)

    @property
    @override
    def _updates(self) -> int:
        return self.options.updates

    @override
    def _new_gates(self) -> tuple[Gates, OnUpdate]:
        return Gates(self.space.slots), lambda _: None

    @override
    def _candidates(self, gates: Gates, rows: Rows, rng: Random) -> Iterator[list[int]]:
        yield [row.index(max(row)) for row in rows]
        while True:
            yield sampled(rows, rng)
