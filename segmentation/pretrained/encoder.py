"""Nets with the small encoder of ``auxiliary-cells`` start from weights that ship. Importing this module loads torch."""

from __future__ import annotations

import logging

from torch import nn

from segmentation.auxiliary_cells.encoder import PREFIX
from segmentation.networks.network import Network
from segmentation.pretrained.weights import shipped, take_fitting

_logger = logging.getLogger(__name__)


def encoder_of(network: Network) -> nn.ModuleDict:
    """The modules of the encoder's layers, whose state has the names of these layers and not their positions."""
    layers = [*zip(network.plan.layers, network.layers, strict=True)]
    layers += zip(network.plan.unread, network.unread, strict=True)
    return nn.ModuleDict(
        {layer.name.replace(".", "/"): module for layer, module in layers if layer.name.startswith(PREFIX)}
    )


def start_encoder(network: Network) -> int:
    """Copies the shipped weights to where ``network`` has layers of their names; returns how many tensors.

    Raises:
        UserError: the files are missing or changed.
    """
    encoder = encoder_of(network)
    taken = take_fitting(encoder, shipped("small-encoder"))
    _logger.info("%d of %d tensors of the encoder start from shipped weights", taken, len(encoder.state_dict()))
    return taken
