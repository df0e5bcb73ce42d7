"""The encoder MobileNetV2. Importing this module loads torch."""

from __future__ import annotations

from torch import Tensor, nn
from typing_extensions import override

from segmentation.baselines.blocks import convolution, depthwise

WIDTHS = (16, 24, 32, 96, 320)
"""Channels of the features at strides 2, 4, 8, 16 and 32."""
_GROUPS = (
    ((1, 16, 1, 1),),
    ((6, 24, 2, 2),),
    ((6, 32, 3, 2),),
    ((6, 64, 4, 2), (6, 96, 3, 1)),
    ((6, 160, 3, 2), (6, 320, 1, 1)),
)
"""Expansion, output channels, blocks and stride of each row of the table, by the stride of the output."""


class MobileNetV2(nn.Module):
    """MobileNetV2 up to its last block (Sandler et al., arXiv 1801.04381, table 2): 1,811,712 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = convolution(3, 32, 3, stride=2, activation=nn.ReLU6)
        channels, stages = 32, []
        for group in _GROUPS:
            blocks = []
            for expansion, width, count, stride in group:
                for number in range(count):
                    blocks.append(_InvertedResidual(channels, width, expansion, stride if number == 0 else 1))
                    channels = width
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    @override
    def forward(self, images: Tensor) -> list[Tensor]:
        """Features at strides 2, 4, 8, 16 and 32, with ``WIDTHS`` channels."""
        x, features = self.stem(images), []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


class _InvertedResidual(nn.Module):
    """The block of figure 3 (b)."""

    def __init__(self, in_channels: int, out_channels: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = in_channels * expansion
        self.residual = stride == 1 and in_channels == out_channels
        expand = [convolution(in_channels, hidden, activation=nn.ReLU6)] if expansion > 1 else []
        self.layers = nn.Sequential(
            *expand,
            depthwise(hidden, 3, stride=stride, activation=nn.ReLU6),
            convolution(hidden, out_channels, activation=None),
        )

    @override
    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.residual else y
