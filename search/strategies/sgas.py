"""Slots are decided one after another while gates are trained. Importing this module loads torch.

Li, Qian, Delgadillo, Mueller, Thabet, Ghanem, "SGAS: Sequential Greedy Architecture Search", CVPR 2020 (arXiv
1912.00195). Gates and shared weights are those of ``proxyless``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from search.constraints.budgets import Budgets
from search.spaces.space import SearchSpace, Slot
from search.strategies.gates.gate_options import Count, GateOptions
from search.strategies.gates.gate_strategy import GateStrategy
from search.strategies.gates.gate_training import OnUpdate
from search.strategies.gates.gates import Gates, Rows

_MORE_CHANGES = 0.5
"""Probability that a neighbour differs in one more slot."""


class SequentialGates(Gates):
    """Gates that decide the slot which is most important, most certain and (criterion 2) most stable.

    The paper speaks of edges and operations. Here a slot is an edge; where "nothing" is no choice its importance is 1.
    Two things differ. Certainty and stability count "nothing" among the choices, because a slot that is on or off has
    only one other. And the paper prunes the edges that are left over, while here every slot is decided, for its most
    probable choice, which may be "nothing".

    Args:
        slots: of the space.
        window: probabilities of so many updates are remembered; at first they are the untrained ones.
        criterion: 1 or 2.
    """

    history: Tensor
    """``window x slots x choices``, the newest last."""

    def __init__(self, slots: Sequence[Slot], window: int, criterion: int) -> None:
        super().__init__(slots)
        self._criterion = criterion
        self._optional = torch.tensor([slot.optional for slot in slots])
        self._counts = torch.tensor([float(slot.choices) for slot in slots])
        self.register_buffer("history", self.free_probabilities().repeat(window, 1, 1))

    @torch.no_grad()
    def remember(self) -> None:
        """Adds the present probabilities to the history."""
        self.history.copy_(torch.cat([self.history[1:], self.probabilities()[None]]))

    @torch.no_grad()
    def decide_next(self) -> None:
        """Decides the undecided slot of the highest score; the first one where several have it."""
        undecided = self.undecided.nonzero().squeeze(1)
        if len(undecided):
            slot = int(undecided[self.scores()[undecided].argmax()])
            self.decide(slot, int(self.probabilities()[slot].argmax()))

    @torch.no_grad()
    def scores(self) -> Tensor:
        """Criterion 1 or 2 of the paper, one for each slot; those of decided slots are without meaning."""
        parts = [self.importance(), self.certainty()] + ([self.stability()] if self._criterion == 2 else [])
        return torch.stack([_spread(part, self.undecided) for part in parts]).prod(0)

    def importance(self) -> Tensor:
        """Edge importance: one minus the probability of "nothing"; one for each slot."""
        return torch.where(self._optional, 1 - self.probabilities()[:, 0], 1.0)

    def certainty(self) -> Tensor:
        """Selection certainty: one minus the normalised entropy; one for each slot."""
        entropy: Tensor = torch.special.entr(self.probabilities()).sum(1)
        return 1 - entropy / self._counts.clamp(min=2).log()

    def stability(self) -> Tensor:
        """Selection stability: mean histogram intersection with the remembered probabilities; one for each slot."""
        return torch.minimum(self.history, self.probabilities()).sum(2).mean(0)


def _spread(part: Tensor, counted: Tensor) -> Tensor:
    """Min-max scaled over the counted ones; all 1 where these are equal."""
    low, high = part[counted].min(), part[counted].max()
    return (part - low) / (high - low) if high > low else torch.ones_like(part)


class SGAS(GateStrategy):
    """Proposes the decided net first, then neighbours of it by the gates' probabilities.

    A neighbour differs in one slot, half of them in one more, and so on; slots by the probability of their other
    choices, choices by their own, as they were when the slot was decided. The paper derives the decided net alone.

    Args:
        space: to search in.
        budgets: that the result must keep.
        seed: of everything random.
        **options: as in ``Options``.

    Raises:
        UserError: as ``GateStrategy``.
    """

    name = "sgas"

    class Options(GateOptions):
        """Options of the strategy."""

        delay: Annotated[int, Field(ge=0)] = 100
        """Updates of the gates before those that lead to the first decision."""
        every: Count = 2
        """Updates of the gates for each decision."""
        criterion: Annotated[int, Field(ge=1, le=2)] = 2
        """1 decides by importance and certainty, 2 also by stability."""
        window: Count = 4
        """Past updates with which stability compares."""

    def __init__(self, space: SearchSpace, budgets: Budgets, *, seed: int = 0, **options: float) -> None:
        self.options = self.Options.model_validate(options)
        super().__init__(space, budgets, self.options, seed=seed)

    @property
    @override
    def _updates(self) -> int:
        return self.options.delay + self.options.every * sum(slot.choices > 1 for slot in self.space.slots)

    @override
    def _new_gates(self) -> tuple[Gates, OnUpdate]:
        gates = SequentialGates(self.space.slots, self.options.window, self.options.criterion)

        def on_update(update: int) -> None:
            later = update - self.options.delay
            if later > 0 and later % self.options.every == 0:
                gates.decide_next()
            gates.remember()

        return gates, on_update

    @override
    def _candidates(self, gates: Gates, rows: Rows, rng: Random) -> Iterator[list[int]]:
        decided: list[int] = gates.probabilities().argmax(1).tolist()
        yield decided
        others = [
            [0.0 if choice == own else p for choice, p in enumerate(row)]
            for row, own in zip(rows, decided, strict=True)
        ]
        weights = {slot: sum(row) for slot, row in enumerate(others) if sum(row) > 0}
        while weights:
            changes = 1
            while rng.random() < _MORE_CHANGES and changes < len(weights):
                changes += 1
            # Without replacement, by weight: the first of exponential clocks.
            changed = sorted(weights, key=lambda slot: rng.expovariate(weights[slot]))[:changes]
            yield [
                rng.choices(range(len(others[slot])), others[slot])[0] if slot in changed else own
                for slot, own in enumerate(decided)
            ]
