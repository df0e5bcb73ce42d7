"""Nets from outside the portrait space: classifiers, U-Nets and their like, small enough for a CPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from latseg.testing.graph_builder import GraphBuilder


class _Net(GraphBuilder):
    """Building blocks of well-known nets, batch normalisation folded."""

    def relu(self, x: str) -> str:
        return self.node("Relu", [x])

    def block(self, x: str, before: int, after: int, *, kernel: int = 3, stride: int = 1) -> str:
        """Convolution and ReLU."""
        return self.relu(self.convolution(x, before, after, kernel=kernel, stride=stride))

    def pool(self, x: str) -> str:
        """Maximum of 2 x 2."""
        return self.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])

    def classify(self, x: str, channels: int) -> str:
        """Global mean and a linear layer to 10 classes."""
        flat = self.node("Flatten", [self.node("GlobalAveragePool", [x])])
        return self.node("Gemm", [flat, self.weight(channels, 10, fan_in=channels), self.weight(10, fan_in=200)])


def mobilenet_v2(net: _Net, width: int) -> str:
    """Inverted residuals (Sandler et al. 2018)."""
    x, channels = net.block("image", 3, width, stride=2), width
    for number, (after, repeats, stride) in enumerate(((16, 1, 1), (24, 2, 2), (32, 3, 2), (64, 3, 2), (96, 2, 1))):
        for repeat in range(repeats):
            expanded = channels * (1 if number == 0 else 6)
            x = net.inverted_residual(x, channels, after, expanded=expanded, stride=stride if repeat == 0 else 1)
            channels = after
    return net.classify(net.block(x, channels, 320, kernel=1), 320)


def mobilenet_v1(net: _Net, width: int) -> str:
    """Depthwise-separable convolutions (Howard et al. 2017)."""
    x, channels = net.block("image", 3, width, stride=2), width
    for after, stride in ((2, 1), (4, 2), (4, 1), (8, 2), (8, 1), (16, 2), (16, 1), (16, 1)):
        x = net.relu(net.convolution(x, channels, channels, kernel=3, stride=stride, group=channels))
        x, channels = net.block(x, channels, after * width, kernel=1), after * width
    return net.classify(x, channels)


def resnet(net: _Net, width: int) -> str:
    """Basic residual blocks (He et al. 2016)."""
    x, channels = net.pool(net.block("image", 3, width, kernel=7, stride=2)), width
    for stage in range(4):
        after = width << stage
        for number in range(2):
            stride = 2 if stage and not number else 1
            y = net.convolution(net.block(x, channels, after, stride=stride), after, after, kernel=3)
            short = x if stride == 1 and channels == after else net.convolution(x, channels, after, stride=stride)
            x, channels = net.relu(net.node("Add", [y, short])), after
    return net.classify(x, channels)


def vgg(net: _Net, width: int) -> str:
    """Plain 3 x 3 convolutions (Simonyan & Zisserman 2015)."""
    x, channels = "image", 3
    for stage in range(4):
        for _ in range(2):
            x, channels = net.block(x, channels, width << stage), width << stage
        x = net.pool(x)
    return net.classify(x, channels)


def squeezenet(net: _Net, width: int) -> str:
    """Fire modules (Iandola et al. 2016)."""
    x, channels = net.pool(net.block("image", 3, 4 * width, stride=2)), 4 * width
    for number in range(6):
        inner = width * (1 + number // 2)
        squeezed = net.block(x, channels, inner, kernel=1)
        parts = [net.block(squeezed, inner, 4 * inner, kernel=kernel) for kernel in (1, 3)]
        x, channels = net.node("Concat", parts, axis=1), 8 * inner
        x = net.pool(x) if number in (1, 3) else x
    return net.classify(x, channels)


def unet(net: _Net, width: int) -> str:
    """Encoder, decoder, skips by concatenation (Ronneberger et al. 2015), transposed convolutions."""
    x, channels, skips = "image", 3, []
    for stage in range(4):
        x, channels = net.block(net.block(x, channels, width << stage), width << stage, width << stage), width << stage
        skips.append((x, channels))
        x = net.pool(x)
    x = net.block(x, channels, 2 * channels)
    channels *= 2
    for skip, after in reversed(skips):
        weight = net.weight(channels, after, 2, 2, fan_in=channels)
        x = net.node("ConvTranspose", [x, weight], kernel_shape=[2, 2], strides=[2, 2])
        x, channels = net.block(net.node("Concat", [x, skip], axis=1), 2 * after, after), after
    return net.convolution(x, channels, 2)


NETS: dict[str, tuple[Callable[[_Net, int], str], int, int]] = {
    "mobilenet-v2 at 160": (mobilenet_v2, 16, 160),
    "mobilenet-v2 at 224": (mobilenet_v2, 32, 224),
    "mobilenet-v1 at 128": (mobilenet_v1, 16, 128),
    "mobilenet-v1 at 192": (mobilenet_v1, 24, 192),
    "resnet at 128": (resnet, 16, 128),
    "resnet at 224": (resnet, 24, 224),
    "vgg at 96": (vgg, 16, 96),
    "squeezenet at 160": (squeezenet, 16, 160),
    "u-net at 128": (unet, 8, 128),
    "u-net at 192": (unet, 12, 192),
}
"""Name to maker, width, and height = width of the input."""


def write_outside_nets(folder: Path) -> dict[str, Path]:
    """One ONNX file for each of ``NETS``."""
    paths = {}
    for number, (name, (make, width, side)) in enumerate(NETS.items()):
        net = _Net(seed=number)
        output = make(net, width)
        shape: tuple[int | str, ...] = (1, 2, side, side) if make is unet else (1, 10)
        paths[name] = folder / f"{name.replace(' ', '-')}.onnx"
        paths[name].write_bytes(net.finish(output, (1, 3, side, side), shape).SerializeToString())
    return paths
