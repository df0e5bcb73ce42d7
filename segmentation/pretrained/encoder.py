"""Nets of ``auxiliary-cells`` and ``templates`` start from the small encoder that ships.

Importing this module loads torch.
"""

from __future__ import annotations

import logging

from torch import nn

from segmentation.auxiliary_cells.encoder import PREFIX
from segmentation.networks.network import Network
from segmentation.pretrained.weights import SMALL_ENCODER, shipped, take_fitting
from segmentation.supernet.extents import MAIN
from segmentation.supernet.supernet import Supernet, shared_key

_SHARED = {"0.weight": "weight", "1.weight": "scale", "1.bias": "shift"}
"""What a supernet calls the parts of a convolution (0) and its batch normalisation (1)."""

_logger = logging.getLogger(__name__)


def encoder_of(network: Network) -> nn.ModuleDict:
    """The modules of the encoder's layers, whose state has the names of these layers and not their positions."""
    layers = [*zip(network.plan.layers, network.layers, strict=True)]
    layers += zip(network.plan.unread, network.unread, strict=True)
    return nn.ModuleDict(
        {layer.name.replace(".", "/"): module for layer, module in layers if layer.name.startswith(PREFIX)}
    )


def start_shared_encoder(supernet: Supernet) -> int:
    """Copies the shipped weights to where ``supernet`` shares layers of their names; returns how many tensors.

    Raises:
        UserError: the files are missing or changed.
    """
    weights = {}
    for key, value in shipped(SMALL_ENCODER).items():
        layer, _, part = key.partition(".")  # a layer's name has slashes, as in the keys of ``Supernet.shared``
        if part in _SHARED:
            weights[f"shared.{shared_key(layer, _SHARED[part], MAIN)}"] = value
    taken = take_fitting(supernet, weights)
    _logger.info("%d of %d tensors of the supernet start from the shipped encoder", taken, len(supernet.state_dict()))
    return taken


def start_encoder(network: Network) -> int:
    """Copies the shipped weights to where ``network`` has layers of their names; returns how many tensors.

    Raises:
        UserError: the files are missing or changed.
    """
    encoder = encoder_of(network)
    taken = take_fitting(encoder, shipped(SMALL_ENCODER))
    _logger.info("%d of %d tensors of the encoder start from shipped weights", taken, len(encoder.state_dict()))
    return taken
