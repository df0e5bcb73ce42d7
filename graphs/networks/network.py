"""Layers one behind the other. Importing this module loads torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from graphs.networks.design import LayerDesign

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda features: features,
    "relu": torch.relu,
    "leaky_relu": functional.leaky_relu,
    "elu": functional.elu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": functional.softplus,
    "relu6": functional.relu6,
}
"""By their names in ``design.ACTIVATIONS``."""


class GraphNetwork(nn.Module):
    """From the features of all nodes (nodes x features, dense or sparse) to their logits (nodes x classes).

    Args:
        layers: modules from nodes x numbers to nodes x numbers.
        designs: of the layers.
        dropout: share of the numbers in front of each layer that are zero while the network is trained.
    """

    def __init__(self, layers: Sequence[nn.Module], designs: Sequence[LayerDesign], dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.dropout = dropout
        self._activations = [ACTIVATIONS[design.activation] for design in designs]

    def forward(self, features: Tensor) -> Tensor:
        """The logits."""
        for layer, activation in zip(self.layers, self._activations, strict=True):
            features = activation(layer(self._dropped(features)))
        return features

    def _dropped(self, features: Tensor) -> Tensor:
        """Zeros stay what they are, so that of sparse features the others are enough."""
        if not features.is_sparse:
            return functional.dropout(features, self.dropout, self.training)
        values = functional.dropout(features.values(), self.dropout, self.training)
        return torch.sparse_coo_tensor(
            features.indices(), values, features.shape, is_coalesced=True, check_invariants=False
        )


def input_widths(features: int, designs: Sequence[LayerDesign]) -> list[int]:
    """Numbers of each node in front of each layer."""
    return [features, *(design.outputs for design in designs[:-1])]
