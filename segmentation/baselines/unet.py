"""U-Net. Importing this module loads torch."""

from __future__ import annotations

from itertools import pairwise

import torch
from pydantic import Field
from torch import Tensor, nn
from typing_extensions import override

from foundation.plugin_options import PluginOptions
from segmentation.baselines.baseline import Baseline
from segmentation.baselines.blocks import convolution, cropping, initialise

_LEVELS = 5


class UNet(Baseline):
    """U-Net (Ronneberger et al., arXiv 1505.04597, figure 1) with batch normalisation.

    Convolutions are padded, so that the logits have the size of the image; pooling rounds odd sides up. 31.04 million
    parameters at width 64 (Zhou et al., UNet++, arXiv 1807.10165, count 7.76 million at width 32).

    Args:
        classes: channels of the logits.
        width: channels of the first level; every level has twice as many as the one before.
    """

    class Options(PluginOptions):
        """Options of the network."""

        width: int = Field(default=64, ge=1, le=1024)

    def __init__(self, classes: int = 2, *, width: int = 64) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(_LEVELS)]
        upwards = list(pairwise(reversed(widths)))
        self.contracting = nn.ModuleList(_pair(before, after) for before, after in pairwise([3, *widths]))
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        self.enlarging = nn.ModuleList(nn.ConvTranspose2d(wide, narrow, 2, stride=2) for wide, narrow in upwards)
        self.expanding = nn.ModuleList(_pair(2 * narrow, narrow) for _, narrow in upwards)
        self.classifier = nn.Conv2d(width, classes, 1)
        initialise(self)

    @override
    def forward(self, images: Tensor) -> Tensor:
        cropped = cropping(images, 2 ** (_LEVELS - 1))
        x, skips = self.contracting[0](images), []
        for level in self.contracting[1:]:
            skips.append(x)
            x = level(self.pool(x))
        for enlarge, level, skip in zip(self.enlarging, self.expanding, reversed(skips), strict=True):
            x = level(torch.cat([skip, cropped(enlarge(x), skip)], 1))
        logits: Tensor = self.classifier(x)
        return logits


def _pair(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(convolution(in_channels, out_channels, 3), convolution(out_channels, out_channels, 3))
