"""Lite R-ASPP on MobileNetV3-Large. Importing this module loads torch."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from segmentation.baselines.baseline import Baseline
from segmentation.baselines.blocks import convolution, initialise, resized_to
from segmentation.baselines.mobilenet_v3 import HIGH_CHANNELS, LOW_CHANNELS, MobileNetV3Large

_WIDTH = 128


class LrAspp(Baseline):
    """Lite R-ASPP (Howard et al., arXiv 1905.02244, figure 10) on MobileNetV3-Large.

    3,221,538 parameters with 21 classes, as torchvision's ``lraspp_mobilenet_v3_large``. As there, the gate is pooled
    over the whole map and not over windows of 49 x 49, which are larger than the maps of small images.
    """

    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        self.encoder = MobileNetV3Large()
        self.values = convolution(HIGH_CHANNELS, _WIDTH)
        self.gate = nn.Conv2d(HIGH_CHANNELS, _WIDTH, 1, bias=False)
        self.low_classifier = nn.Conv2d(LOW_CHANNELS, classes, 1)
        self.high_classifier = nn.Conv2d(_WIDTH, classes, 1)
        initialise(self)

    @override
    def forward(self, images: Tensor) -> Tensor:
        low, high = self.encoder(images)
        gated = self.values(high) * self.gate(functional.adaptive_avg_pool2d(high, 1)).sigmoid()
        logits = self.low_classifier(low) + self.high_classifier(resized_to(gated, low))
        return resized_to(logits, images)
