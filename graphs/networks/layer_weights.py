"""The trained weights of a layer, whichever way its messages are passed. Importing this module loads torch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from graphs.networks.attention import LEARNED
from graphs.networks.design import LayerDesign


class LayerWeights(nn.Module):
    """What a layer does at each node, before and after the messages.

    Args:
        inputs: numbers of each node in front of the layer.
        design: of the layer.
    """

    def __init__(self, inputs: int, design: LayerDesign) -> None:
        super().__init__()
        self.design = design
        self.linear = nn.Linear(inputs, design.heads * design.width, bias=False)
        learned = LEARNED.get(design.attention)
        self.attention = None if learned is None else learned(design.heads, design.width)
        self.bias = nn.Parameter(torch.zeros(design.outputs))
        for weight in (self.linear.weight, *([] if self.attention is None else self.attention.parameters())):
            nn.init.xavier_uniform_(weight)

    def values(self, features: Tensor) -> Tensor:
        """From nodes x inputs, dense or sparse, to nodes x heads x width: what the messages say."""
        values: Tensor = features @ self.linear.weight.t() if features.is_sparse else self.linear(features)
        return values.view(-1, self.design.heads, self.design.width)

    def output(self, aggregated: Tensor) -> Tensor:
        """From nodes x heads x width to nodes x outputs."""
        if self.design.concatenated or self.design.heads == 1:
            joined = aggregated.reshape(-1, self.design.outputs)
        else:
            joined = aggregated.mean(1)
        return joined + self.bias
