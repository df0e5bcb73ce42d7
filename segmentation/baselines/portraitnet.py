"""A network like PortraitNet. Importing this module loads torch."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from typing_extensions import override

from segmentation.baselines.baseline import Baseline
from segmentation.baselines.blocks import convolution, cropping, depthwise, initialise
from segmentation.baselines.mobilenet_v2 import WIDTHS, MobileNetV2

_TOTAL_STRIDE = 32
_LAST_WIDTH = 8


class PortraitNet(Baseline):
    """PortraitNet (Zhang et al., Computers & Graphics 80, 2019): MobileNetV2 and a light decoder.

    2,079,672 parameters with two classes; the paper, and Park et al. (arXiv 1911.09099) of it, say 2.1 million. The
    paper's auxiliary losses (boundary, consistency) are left out: every network here is trained in the same way.
    """

    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        self.encoder = MobileNetV2()
        widths = [*reversed(WIDTHS), _LAST_WIDTH]
        self.transitions = nn.ModuleList(_Transition(wide, narrow) for wide, narrow in pairwise(widths))
        self.enlarging = nn.ModuleList(
            nn.ConvTranspose2d(width, width, 4, stride=2, padding=1, bias=False) for width in widths[1:]
        )
        self.classifier = nn.Conv2d(_LAST_WIDTH, classes, 3, padding=1, bias=False)
        initialise(self)

    @override
    def forward(self, images: Tensor) -> Tensor:
        cropped = cropping(images, _TOTAL_STRIDE)
        *skips, x = self.encoder(images)
        *inner, last = zip(self.transitions, self.enlarging, strict=True)
        for (transition, enlarge), skip in zip(inner, reversed(skips), strict=True):
            x = skip + cropped(enlarge(transition(x)), skip)
        transition, enlarge = last
        logits: Tensor = self.classifier(cropped(enlarge(transition(x)), images))
        return logits


class _Transition(nn.Module):
    """The transition module: two separable convolutions beside a 1 x 1 convolution."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            depthwise(in_channels, 3),
            convolution(in_channels, out_channels),
            depthwise(out_channels, 3),
            convolution(out_channels, out_channels, activation=None),
        )
        self.shortcut = convolution(in_channels, out_channels, activation=None)
        self.activation = nn.ReLU()

    @override
    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.activation(self.layers(x) + self.shortcut(x))
        return y
