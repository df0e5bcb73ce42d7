"""Terms of the training loss that ``recipe.py`` tries beside the recipe's own."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from segmentation.losses import IGNORE, dice, match_size, segmentation_loss
from segmentation.networks.network import Network

Loss = Callable[..., Tensor]
EDGE_WIDTH = 5
"""Pixels: those with another class this near count more."""
EDGE_WEIGHT = 4.0
HARDEST = 0.25
AUXILIARY_WEIGHT = 0.4


def edges_count_more(logits: Tensor, target: Tensor, *, dice_weight: float = 1.0) -> Tensor:
    """Cross-entropy in which pixels near an edge count ``EDGE_WEIGHT`` times, and Dice."""
    truth = target.where(target != IGNORE, 0).float().unsqueeze(1)
    around = [functional.max_pool2d(sign * truth, EDGE_WIDTH, 1, EDGE_WIDTH // 2) for sign in (1, -1)]
    weight = torch.where((around[0] + around[1])[:, 0] > 0, EDGE_WEIGHT, 1.0) * (target != IGNORE)
    each = functional.cross_entropy(logits, target, ignore_index=IGNORE, reduction="none")
    return (each * weight).sum() / weight.sum().clamp(min=1) + dice_weight * dice(logits, target)


def hardest_pixels(logits: Tensor, target: Tensor, *, dice_weight: float = 1.0) -> Tensor:
    """Cross-entropy of the hardest quarter (Shrivastava et al., arXiv 1604.03540, for pixels), and Dice."""
    each = functional.cross_entropy(logits, target, ignore_index=IGNORE, reduction="none").flatten()
    return each.topk(max(1, round(HARDEST * len(each)))).values.mean() + dice_weight * dice(logits, target)


def deep_supervision(network: Network) -> Loss:
    """Every level of the decoder predicts the mask as well (Lee et al., arXiv 1409.5185); changes the network."""
    entries = [layer for layer in network.plan.layers if layer.name.startswith("decoder.entry.")]
    features: dict[str, Tensor] = {}
    for layer in entries:
        network.layer(layer.name).register_forward_hook(
            lambda _, __, output, name=layer.name: features.__setitem__(name, output)
        )
    network.auxiliary = nn.ModuleList(nn.Conv2d(layer.out_channels, 2, 1) for layer in entries)

    def loss(logits: Tensor, target: Tensor, *, dice_weight: float = 1.0) -> Tensor:
        found = segmentation_loss(logits, target, dice_weight=dice_weight)
        for layer, head in zip(entries, network.auxiliary, strict=True):
            coarse = match_size(head(features[layer.name]), target.shape[-2:])
            found = found + AUXILIARY_WEIGHT / len(entries) * segmentation_loss(coarse, target, dice_weight=dice_weight)
        return found

    return loss
