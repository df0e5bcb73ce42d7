"""The contract of a known network. Importing this module loads torch."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor, nn
from typing_extensions import override


class Baseline(nn.Module):
    """A segmentation network for any input size and any number of classes.

    A subclass takes the number of classes, and its options as keyword arguments; ``Options`` names a
    ``foundation.plugin_options.PluginOptions`` model of them. A training forward pass uses no random numbers (no
    dropout), so that a training that was interrupted ends like one that was not. Plug-ins enter their class in the
    group ``latseg.networks`` and run ``latseg.testing.network_contract``.
    """

    @override
    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Logits ``batch x classes x height x width`` of normalised images ``batch x 3 x height x width``.

        In training, batch normalisation needs at least two images.
        """
