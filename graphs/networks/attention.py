"""Learned attention: a score for each message and head (GraphNAS, table 1). Importing this module loads torch.

``values`` are nodes x heads x width. ``of_receivers`` and ``of_senders`` take a tensor whose rows are nodes to the rows
of the messages' receivers and senders.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

Gather = Callable[[Tensor], Tensor]
_SLOPE = 0.2
"""Of the leaky ReLU (Velickovic et al., "Graph attention networks", ICLR 2018, section 2.1)."""


class Attention(nn.Module, ABC):
    """Weights for the numbers of receivers and senders.

    Args:
        heads: number of heads.
        width: numbers of one head.
    """

    def __init__(self, heads: int, width: int) -> None:
        super().__init__()
        self.receiver = nn.Parameter(torch.empty(1, heads, width))
        self.sender = nn.Parameter(torch.empty(1, heads, width))

    @abstractmethod
    def forward(self, values: Tensor, of_receivers: Gather, of_senders: Gather) -> Tensor:
        """Messages x heads; a softmax over the messages of each receiver makes weights of them."""


class Gat(Attention):
    """leaky ReLU(a . receiver + b . sender)."""

    @override
    def forward(self, values: Tensor, of_receivers: Gather, of_senders: Gather) -> Tensor:
        receiver, sender = _dot(values, self.receiver), _dot(values, self.sender)
        return functional.leaky_relu(of_receivers(receiver) + of_senders(sender), _SLOPE)


class SymmetricGat(Attention):
    """The score of GAT, plus that of the opposite direction."""

    @override
    def forward(self, values: Tensor, of_receivers: Gather, of_senders: Gather) -> Tensor:
        receiver, sender = _dot(values, self.receiver), _dot(values, self.sender)
        there = functional.leaky_relu(of_receivers(receiver) + of_senders(sender), _SLOPE)
        back = functional.leaky_relu(of_senders(receiver) + of_receivers(sender), _SLOPE)
        return there + back


class Cosine(Attention):
    """(a * receiver) . (b * sender)."""

    @override
    def forward(self, values: Tensor, of_receivers: Gather, of_senders: Gather) -> Tensor:
        return _dot(of_receivers(values * self.receiver), of_senders(values * self.sender))


class Linear(Attention):
    """tanh(b . sender)."""

    def __init__(self, heads: int, width: int) -> None:
        super().__init__(heads, width)
        del self.receiver

    @override
    def forward(self, values: Tensor, of_receivers: Gather, of_senders: Gather) -> Tensor:
        return of_senders(torch.tanh(_dot(values, self.sender)))


class GeneralLinear(Attention):
    """c . tanh(a * receiver + b * sender)."""

    def __init__(self, heads: int, width: int) -> None:
        super().__init__(heads, width)
        self.mixed = nn.Parameter(torch.empty(1, 1, width))

    @override
    def forward(self, values: Tensor, of_receivers: Gather, of_senders: Gather) -> Tensor:
        both = of_receivers(values * self.receiver) + of_senders(values * self.sender)
        return _dot(torch.tanh(both), self.mixed)


LEARNED: dict[str, type[Attention]] = {
    "gat": Gat,
    "sym-gat": SymmetricGat,
    "cos": Cosine,
    "linear": Linear,
    "gen-linear": GeneralLinear,
}
"""By their names in ``design.ATTENTIONS``."""


def _dot(first: Tensor, second: Tensor) -> Tensor:
    """Sum of products over the last axis."""
    return (first * second).sum(-1)
