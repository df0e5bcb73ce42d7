"""SINet. Importing this module loads torch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from segmentation.baselines.baseline import Baseline
from segmentation.baselines.blocks import activations, convolution, depthwise, initialise, resized_to

_Branch = tuple[int, int]
"""Kernel of the depthwise convolution, and factor by which the map is made smaller before it."""
_FINE: tuple[tuple[_Branch, _Branch], ...] = (((3, 1), (5, 1)), ((3, 1), (3, 1)))
_COARSE: tuple[tuple[_Branch, _Branch], ...] = (
    ((3, 1), (5, 1)),
    ((3, 1), (3, 1)),
    ((5, 1), (3, 2)),
    ((5, 2), (3, 4)),
    ((3, 1), (3, 1)),
    ((5, 1), (5, 1)),
    ((3, 2), (3, 4)),
    ((3, 1), (5, 2)),
)


class SiNet(Baseline):
    """SINet (Park et al., arXiv 1911.09099) for portraits.

    86,910 parameters with two classes (the paper: 86.9 K). Spatial squeeze modules encode; the decoder adds fine
    features where the coarse logits are not certain (information blocking).
    """

    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        self.stem = convolution(3, 12, 3, stride=2, activation=nn.PReLU)
        self.to_stride_4 = _Reduction(12, 16, inner=None)
        self.fine = _modules(16, 48, _FINE)
        self.fine_sum = _normalised(64)
        self.to_stride_8 = _Reduction(64, 48, inner=32)
        self.coarse = _modules(48, 96, _COARSE)
        self.coarse_sum = _normalised(144)
        self.coarse_logits = nn.Conv2d(144, classes, 1, bias=False)
        self.coarse_scale = nn.BatchNorm2d(classes)
        self.fine_logits = convolution(48, classes, activation=nn.PReLU)
        self.fine_scale = nn.BatchNorm2d(classes)
        self.refine = nn.Conv2d(classes, classes, 3, padding=1, bias=False)
        initialise(self)

    @override
    def forward(self, images: Tensor) -> Tensor:
        stem = self.stem(images)
        first = self.to_stride_4(stem)
        fine = self.fine(first)
        second = self.to_stride_8(self.fine_sum(torch.cat([first, fine], 1)))
        coarse = self.coarse_sum(torch.cat([second, self.coarse(second)], 1))
        logits = self.coarse_scale(resized_to(self.coarse_logits(coarse), fine))
        uncertain = 1 - logits.softmax(1).amax(1, keepdim=True)
        logits = self.fine_scale(resized_to(logits + uncertain * self.fine_logits(fine), stem))
        return self.refine(resized_to(logits, images))  # type: ignore[no-any-return]


class _Reduction(nn.Module):
    """A separable convolution with stride 2 and squeeze-and-excitation between its two parts."""

    def __init__(self, in_channels: int, out_channels: int, *, inner: int | None) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(in_channels, in_channels, 3, 2, 1, groups=in_channels, bias=False)
        widths = [in_channels, *([inner] if inner else []), in_channels]
        parts = [part for before, after in pairwise(widths) for part in (nn.Conv2d(before, after, 1), nn.PReLU(after))]
        self.gate = nn.Sequential(*parts)
        self.pointwise = convolution(in_channels, out_channels, activation=nn.PReLU)

    @override
    def forward(self, x: Tensor) -> Tensor:
        x = self.depthwise(x)
        reduced: Tensor = self.pointwise(x * self.gate(functional.adaptive_avg_pool2d(x, 1)))
        return reduced


class _SqueezeModule(nn.Module):
    """The spatial squeeze module: two branches with different receptive fields share the channels."""

    def __init__(self, in_channels: int, out_channels: int, branches: Sequence[_Branch]) -> None:
        super().__init__()
        width = out_channels // len(branches)
        self.residual = in_channels == out_channels
        self.reduce = nn.Conv2d(in_channels, width, 1, groups=len(branches), bias=False)
        self.branches = nn.ModuleList(_SqueezeBlock(width, kernel, factor) for kernel, factor in branches)
        self.out = _normalised(out_channels)

    @override
    def forward(self, x: Tensor) -> Tensor:
        shared = _shuffled(self.reduce(x), len(self.branches))
        y = torch.cat([branch(shared) for branch in self.branches], 1)
        out: Tensor = self.out(x + y if self.residual else y)
        return out


class _SqueezeBlock(nn.Module):
    """A separable convolution on a map that was made smaller by a factor, and made larger again behind it."""

    def __init__(self, channels: int, kernel: int, factor: int) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(factor, ceil_mode=True) if factor > 1 else None
        self.layers = nn.Sequential(
            depthwise(channels, kernel, activation=nn.PReLU), convolution(channels, channels, activation=None)
        )

    @override
    def forward(self, x: Tensor) -> Tensor:
        if self.pool is None:
            y: Tensor = self.layers(x)
            return y
        return resized_to(self.layers(self.pool(x)), x)


def _shuffled(x: Tensor, groups: int) -> Tensor:
    """Channels of the groups in turns (ShuffleNet, arXiv 1707.01083, figure 1)."""
    batch, _, height, width = x.shape
    return x.reshape(batch, groups, -1, height, width).transpose(1, 2).reshape(batch, -1, height, width)


def _modules(in_channels: int, out_channels: int, settings: Sequence[Sequence[_Branch]]) -> nn.Sequential:
    channels = [in_channels, *[out_channels] * (len(settings) - 1)]
    return nn.Sequential(
        *(_SqueezeModule(before, out_channels, each) for before, each in zip(channels, settings, strict=True))
    )


def _normalised(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(channels), *activations(nn.PReLU, channels))
