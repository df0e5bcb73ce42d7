"""DeepLabV3 on MobileNetV3-Large. Importing this module loads torch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from segmentation.baselines.baseline import Baseline
from segmentation.baselines.blocks import convolution, initialise, resized_to
from segmentation.baselines.mobilenet_v3 import HIGH_CHANNELS, MobileNetV3Large

_WIDTH = 256
_RATES = (6, 12, 18)


class DeepLabV3(Baseline):
    """DeepLabV3 (Chen et al., arXiv 1706.05587, figure 5) on MobileNetV3-Large at output stride 16.

    11,025,477 parameters with 21 classes. torchvision counts 11,029,328 for ``deeplabv3_mobilenet_v3_large``: 3,851
    more, those of an auxiliary output that only its own training uses. The rates are the paper's for stride 16.
    """

    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        self.encoder = MobileNetV3Large()
        self.branches = nn.ModuleList(
            [
                convolution(HIGH_CHANNELS, _WIDTH),
                *(convolution(HIGH_CHANNELS, _WIDTH, 3, dilation=rate) for rate in _RATES),
            ]
        )
        self.pooled = convolution(HIGH_CHANNELS, _WIDTH)
        self.project = convolution((len(self.branches) + 1) * _WIDTH, _WIDTH)
        self.refine = convolution(_WIDTH, _WIDTH, 3)
        self.classifier = nn.Conv2d(_WIDTH, classes, 1)
        initialise(self)

    @override
    def forward(self, images: Tensor) -> Tensor:
        _, high = self.encoder(images)
        pooled = resized_to(self.pooled(functional.adaptive_avg_pool2d(high, 1)), high)
        x = torch.cat([*(branch(high) for branch in self.branches), pooled], 1)
        return resized_to(self.classifier(self.refine(self.project(x))), images)
