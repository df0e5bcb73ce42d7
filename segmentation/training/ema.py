"""Exponential moving average of a net's weights."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class MovingAverage:
    """A copy of a net whose weights follow the trained ones slowly; it is what gets judged and kept.

    The decay rises with the number of updates, ``min(decay, (1 + t) / (10 + t))``, so that the random start is soon
    forgotten. Running statistics of batch normalisation are moving averages already: they are copied, not averaged.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(requires_grad=False)
        self.decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Takes in the weights of ``network`` after update number ``step``, counted from 0."""
        keep = min(self.decay, (1 + step) / (10 + step))
        average: list[Tensor] = list(self.network.parameters())
        current: list[Tensor] = list(network.parameters())
        torch._foreach_lerp_(average, current, 1 - keep)  # the fused form of average.lerp_(current, 1 - keep)
        for kept, buffer in zip(self.network.buffers(), network.buffers(), strict=True):
            kept.copy_(buffer)
