"""The controller: a recurrent network that chooses an architecture slot by slot. Importing this module loads torch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

_WIDTH = 32
"""Of the embedding and of the hidden state."""
_SPREAD = 0.1
"""First weights are uniform between minus and plus this, so that the first choices are nearly uniform, too."""
_IMPOSSIBLE = -1e9
"""Logit of a choice that a slot does not have; finite, so that zero times it is zero."""


class Controller(nn.Module):
    """An LSTM that reads the choice of the slot before and emits one softmax for each slot.

    Zoph and Le, "Neural Architecture Search with Reinforcement Learning", ICLR 2017, section 3.1. Every slot has
    weights and a bias of its own.

    Args:
        choices: number of choices of each slot, in order.
        seed: of the first weights.
    """

    possible: Tensor

    def __init__(self, choices: Sequence[int], *, seed: int) -> None:
        super().__init__()
        slots, most = len(choices), max(choices)
        # torch fills new layers from the global generator; what it yields afterwards must not depend on this.
        with torch.random.fork_rng(devices=[]):
            self.embedding = nn.Embedding(1 + slots * most, _WIDTH)
            self.lstm = nn.LSTM(_WIDTH, _WIDTH, batch_first=True)
        self.weight = nn.Parameter(torch.empty(slots, _WIDTH, most))
        self.bias = nn.Parameter(torch.empty(slots, most))
        self.register_buffer("possible", torch.arange(most) < torch.tensor(choices)[:, None])
        self._initialise(torch.Generator().manual_seed(seed))

    def _initialise(self, generator: torch.Generator) -> None:
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -_SPREAD, _SPREAD, generator=generator)
        nn.init.zeros_(self.bias)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Random choices, ``count x slots``."""
        with torch.no_grad():
            tokens, state, chosen = torch.zeros(count, 1, dtype=torch.long), None, []
            for slot in range(len(self.bias)):
                hidden, state = self.lstm(self.embedding(tokens), state)
                logits = torch.addmm(self.bias[slot], hidden[:, 0], self.weight[slot])
                logits = logits.masked_fill(~self.possible[slot], _IMPOSSIBLE)
                chosen.append(torch.multinomial(logits.softmax(dim=1), 1, generator=generator))
                tokens = self._tokens(slot, chosen[-1])
            return torch.cat(chosen, dim=1)

    def log_probabilities(self, choices: Tensor) -> Tensor:
        """Of every choice of every slot, given the choices before it: ``n x slots x most choices``.

        Args:
            choices: ``n x slots``.
        """
        before = [torch.zeros(len(choices), 1, dtype=torch.long)]
        before += [self._tokens(slot, choices[:, slot : slot + 1]) for slot in range(choices.shape[1] - 1)]
        hidden, _ = self.lstm(self.embedding(torch.cat(before, dim=1)))
        logits = torch.einsum("nsh,shc->nsc", hidden, self.weight) + self.bias
        return logits.masked_fill(~self.possible, _IMPOSSIBLE).log_softmax(dim=2)

    def _tokens(self, slot: int, choices: Tensor) -> Tensor:
        """Rows of the embedding; row 0 stands before the first slot."""
        return 1 + slot * self.bias.shape[1] + choices


def log_probability(table: Tensor, choices: Tensor) -> Tensor:
    """Of the choice that each slot has, ``n x slots``.

    Args:
        table: from ``Controller.log_probabilities``.
        choices: ``n x slots``.
    """
    return table.gather(2, choices[:, :, None])[:, :, 0]


def entropy(table: Tensor) -> Tensor:
    """Of each slot's softmax, in nats, ``n x slots``."""
    return -(table.exp() * table).sum(dim=2)
