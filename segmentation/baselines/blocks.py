"""Parts that several known networks share. Importing this module loads torch."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

Activation = type[nn.Module] | None


def convolution(
    in_channels: int,
    out_channels: int,
    kernel: int = 1,
    *,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    activation: Activation = nn.ReLU,
) -> nn.Sequential:
    """A convolution without bias, batch normalisation and an activation (None for none).

    A side of n pixels becomes ceil(n / stride).
    """
    padding = dilation * (kernel - 1) // 2
    layer = nn.Conv2d(in_channels, out_channels, kernel, stride, padding, dilation, groups, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(out_channels), *activations(activation, out_channels))


def depthwise(
    channels: int, kernel: int, *, stride: int = 1, dilation: int = 1, activation: Activation = nn.ReLU
) -> nn.Sequential:
    """A ``convolution`` within each channel."""
    return convolution(
        channels, channels, kernel, stride=stride, dilation=dilation, groups=channels, activation=activation
    )


def activations(kind: Activation, channels: int) -> list[nn.Module]:
    """The activation in a list, or an empty list; PReLU has a slope for each channel."""
    if kind is None:
        return []
    return [nn.PReLU(channels) if kind is nn.PReLU else kind()]


def resized_to(x: Tensor, other: Tensor) -> Tensor:
    """``x`` resized bilinearly to the height and width of ``other``.

    No check for equal sizes: an exported model must do it for every size.
    """
    return functional.interpolate(x, size=other.shape[-2:], mode="bilinear", align_corners=False)


def cropping(images: Tensor, stride: int) -> Callable[[Tensor, Tensor], Tensor]:
    """A function that crops a map, made larger by a factor, to the size of the finer map to which it is added.

    It crops nothing where ``stride`` divides height and width of the images: then the sizes are equal.
    """
    height, width = images.shape[-2:]
    if height % stride == 0 and width % stride == 0:
        return lambda x, _: x
    return lambda x, finer: x[..., : finer.shape[-2], : finer.shape[-1]]


def initialise(network: nn.Module) -> None:
    """Random initial values of all convolutions, in place: variance 1 / inputs of a sum, biases 0.

    Twice this variance (He et al., arXiv 1502.01852) is not needed where batch normalisation follows, and makes
    logits of thousands while its running statistics are still those of the first batches.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
