"""The encoder MobileNetV3-Large. Importing this module loads torch."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from segmentation.baselines.blocks import Activation, convolution, depthwise

LOW_CHANNELS = 40
HIGH_CHANNELS = 960


@dataclass(frozen=True, slots=True)
class _Block:
    kernel: int
    hidden: int
    out: int
    squeeze: bool
    activation: Activation
    stride: int = 1
    dilation: int = 1


_TO_LOW = (
    _Block(3, 16, 16, False, nn.ReLU),
    _Block(3, 64, 24, False, nn.ReLU, 2),
    _Block(3, 72, 24, False, nn.ReLU),
    _Block(5, 72, LOW_CHANNELS, True, nn.ReLU, 2),
)
_TO_HIGH = (
    _Block(5, 120, 40, True, nn.ReLU),
    _Block(5, 120, 40, True, nn.ReLU),
    _Block(3, 240, 80, False, nn.Hardswish, 2),
    _Block(3, 200, 80, False, nn.Hardswish),
    _Block(3, 184, 80, False, nn.Hardswish),
    _Block(3, 184, 80, False, nn.Hardswish),
    _Block(3, 480, 112, True, nn.Hardswish),
    _Block(3, 672, 112, True, nn.Hardswish),
    _Block(5, 672, 160, True, nn.Hardswish, dilation=2),
    _Block(5, 960, 160, True, nn.Hardswish, dilation=2),
    _Block(5, 960, 160, True, nn.Hardswish, dilation=2),
)


class MobileNetV3Large(nn.Module):
    """The convolutions of MobileNetV3-Large (Howard et al., arXiv 1905.02244, table 1) at output stride 16.

    The last stage is dilated instead of strided (section 6.4). 2,971,952 parameters, as in torchvision.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = convolution(3, 16, 3, stride=2, activation=nn.Hardswish)
        self.to_low = _blocks(16, _TO_LOW)
        self.to_high = _blocks(LOW_CHANNELS, _TO_HIGH)
        self.last = convolution(_TO_HIGH[-1].out, HIGH_CHANNELS, activation=nn.Hardswish)

    @override
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features at stride 8 (``LOW_CHANNELS``) and at stride 16 (``HIGH_CHANNELS``)."""
        low = self.to_low(self.stem(images))
        return low, self.last(self.to_high(low))


class _InvertedResidual(nn.Module):
    """The block of figure 4."""

    def __init__(self, channels: int, block: _Block) -> None:
        super().__init__()
        self.residual = block.stride == 1 and channels == block.out
        parts: list[nn.Module] = []
        if block.hidden != channels:
            parts.append(convolution(channels, block.hidden, activation=block.activation))
        parts.append(
            depthwise(
                block.hidden, block.kernel, stride=block.stride, dilation=block.dilation, activation=block.activation
            )
        )
        if block.squeeze:
            parts.append(_SqueezeExcitation(block.hidden))
        self.layers = nn.Sequential(*parts, convolution(block.hidden, block.out, activation=None))

    @override
    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.residual else y


class _SqueezeExcitation(nn.Module):
    """A gate for each channel, from the mean of every channel; a quarter of them inside, in multiples of 8."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = _multiple_of_8(channels // 4)
        self.squeeze = nn.Conv2d(channels, inner, 1)
        self.excite = nn.Conv2d(inner, channels, 1)

    @override
    def forward(self, x: Tensor) -> Tensor:
        gate = functional.relu(self.squeeze(functional.adaptive_avg_pool2d(x, 1)))
        return x * functional.hardsigmoid(self.excite(gate))


def _multiple_of_8(number: int) -> int:
    """The nearest multiple of 8 that is at least 90 % of the number."""
    nearest = max(8, (number + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * number else nearest + 8


def _blocks(channels: int, blocks: tuple[_Block, ...]) -> nn.Sequential:
    before = [channels, *(block.out for block in blocks)]
    return nn.Sequential(*(_InvertedResidual(*pair) for pair in zip(before, blocks, strict=False)))
