"""Which weights of a trained network another one begins with. Importing this module loads torch."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn


def without_head(weights: Mapping[str, Tensor], network: nn.Module, other: nn.Module) -> dict[str, Tensor]:
    """The weights but those of the head.

    Args:
        weights: of a trained network.
        network: that is to begin with them.
        other: the same for another number of classes. Tensors whose shapes differ between the two are the head.
    """
    states = network.state_dict(), other.state_dict()
    return {
        key: value for key, value in weights.items() if all(key in s and s[key].shape == value.shape for s in states)
    }
