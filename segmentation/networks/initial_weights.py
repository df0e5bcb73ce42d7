"""Initial weights of convolutions. Importing this module loads torch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor, nn

from segmentation.networks.plan import Layer

_LOGIT_SCALE = 0.1


def initialise(weight: Tensor, layer: Layer) -> None:
    """Fills a convolution's weight in place: random values (He et al., arXiv 1502.01852), or an interpolation.

    A layer of a plan may use the first channels of ``weight`` and the middle of its kernel: it still interpolates.
    """
    if layer.interpolates and layer.kind == "conv_transpose":
        weight.detach().copy_(bilinear_kernel(layer.stride).expand_as(weight))
    elif layer.interpolates:
        weight.detach().copy_(_interpolation(weight.shape, layer.factor))
    elif layer.depthwise and not layer.normalise:
        # It refines what is there: the identity is a better start than random weights.
        nn.init.dirac_(weight, groups=weight.shape[0])
    else:
        nn.init.kaiming_normal_(weight, nonlinearity="relu")
        if layer.bias and not layer.normalise and layer.activation == "none":
            # Confident logits from random weights slow the first epochs down: without this, 150 steps of the teacher
            # end 4 points of mean intersection over union lower.
            weight.detach().mul_(_LOGIT_SCALE)


@lru_cache
def bilinear_kernel(factor: int) -> Tensor:
    """Kernel (2 factor x 2 factor) with which a transposed convolution of stride ``factor`` interpolates.

    The same as bilinear resizing with half-pixel centres, away from the border; ``factor`` is even.
    """
    distance = (torch.arange(2 * factor) - (2 * factor - 1) / 2).abs()
    line = 1 - distance / factor
    return line.unsqueeze(1) * line


def _interpolation(shape: Sequence[int], factor: int) -> Tensor:
    """Weight (output channels x input channels x kernel x kernel) that interpolates, with a pixel shuffle behind it.

    Nearest with kernel 1, bilinear with kernel 3. Where there are fewer channels after the shuffle than before, each is
    the mean of some neighbouring ones; where there are more, each is repeated.
    """
    out_channels, in_channels, kernel = shape[0] // factor**2, shape[1], shape[2]
    fewer, more = max(1, in_channels // out_channels), max(1, out_channels // in_channels)
    mixed = torch.eye(min(out_channels, in_channels))
    mixed = mixed.repeat_interleave(more, dim=0).repeat_interleave(fewer, dim=1) / fewer
    offset = (torch.arange(factor) + 0.5) / factor - 0.5
    line = torch.stack([-offset.clamp(max=0), 1 - offset.abs(), offset.clamp(min=0)], dim=1)
    line = line if kernel == 3 else torch.ones(factor, 1)
    return torch.einsum("oi,ay,bx->oabiyx", mixed, line, line).reshape(*shape)
