"""Gates: a probability for every choice of every slot. Importing this module loads torch."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import torch
from torch import Tensor, nn

from search.architecture import Architecture
from search.spaces.space import SearchSpace, Slot

Rows = list[list[float]]
"""Probabilities by slot and choice; rows are filled up with zeros to one length."""


class Gates(nn.Module):
    """One categorical distribution for each slot; slots are independent.

    Cai, Zhu, Han, "ProxylessNAS" (ICLR 2019), section 3.2: a softmax over the parameters of a slot's choices. A slot
    can be decided: then its chosen one has probability 1.

    Args:
        slots: of the space.
    """

    logits: nn.Parameter
    """Architecture parameters, float32, ``slots x largest number of choices``; they begin equal."""
    open: Tensor
    """Whether a choice exists and is not decided against; ``slots x choices``, bool."""
    _exists: Tensor

    def __init__(self, slots: Sequence[Slot]) -> None:
        super().__init__()
        counts = torch.tensor([[slot.choices] for slot in slots])
        exists = torch.arange(int(counts.max())) < counts
        self.logits = nn.Parameter(torch.zeros(exists.shape))
        self.register_buffer("open", exists.clone())
        self.register_buffer("_exists", exists, persistent=False)

    def probabilities(self) -> Tensor:
        """``slots x choices``; 0 where a choice is not open."""
        return self._log_probabilities().exp()

    def free_probabilities(self) -> Tensor:
        """As ``probabilities``, those of decided slots as they were before the decision; without gradient."""
        return self.logits.detach().masked_fill(~self._exists, -torch.inf).softmax(1)

    def log_probability(self, choices: Tensor) -> Tensor:
        """Of whole nets.

        Args:
            choices: int64, ``nets x slots``, all of them open.
        """
        return self._log_probabilities().gather(1, choices.T).sum(0)

    def decide(self, slot: int, choice: int) -> None:
        """Gives the choice of this slot probability 1."""
        self.open[slot] = False
        self.open[slot, choice] = True

    @property
    def undecided(self) -> Tensor:
        """Whether a slot has more than one open choice; bool, one for each slot."""
        return self.open.sum(1) > 1

    def _log_probabilities(self) -> Tensor:
        return self.logits.masked_fill(~self.open, -torch.inf).log_softmax(1)


def sampled(probabilities: Rows, rng: Random) -> list[int]:
    """One choice for each slot."""
    return [rng.choices(range(len(row)), row)[0] for row in probabilities]


def net_of(space: SearchSpace, choices: Sequence[int]) -> Architecture:
    """The net of one choice for each slot, in canonical form."""
    return space.nearest({slot.name: choice for slot, choice in zip(space.slots, choices, strict=True)})
