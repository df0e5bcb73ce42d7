"""Nets from outside the portrait space: classifiers, U-Nets and their like, small enough for a CPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from latseg.testing.graph_builder import GraphBuilder


class _Net(GraphBuilder):
    """Building blocks of well-known nets, batch normalisation folded.

    Args:
        seed: of the weights.
        side: height and width of the image.
    """

    def __init__(self, seed: int, side: int) -> None:
        super().__init__(seed)
        self.side = side

    def relu(self, x: str) -> str:
        return self.node("Relu", [x])

    def block(self, x: str, before: int, after: int, *, kernel: int = 3, stride: int = 1) -> str:
        """Convolution and ReLU."""
        return self.relu(self.convolution(x, before, after, kernel=kernel, stride=stride))

    def pool(self, x: str) -> str:
        """Maximum of 2 x 2."""
        return self.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])

    def swish(self, x: str) -> str:
        return self.node("Mul", [x, self.node("Sigmoid", [x])])

    def gelu(self, x: str) -> str:
        """By the error function, as most exporters write it."""
        divided = self.node("Div", [x, self.constant(np.array(2**0.5, np.float32))])
        gate = self.node("Add", [self.node("Erf", [divided]), self.constant(np.array(1, np.float32))])
        return self.node("Mul", [self.node("Mul", [x, gate]), self.constant(np.array(0.5, np.float32))])

    def rectangular(self, x: str, before: int, after: int, kernel: tuple[int, int]) -> str:
        weight = self.weight(after, before, *kernel, fan_in=before * kernel[0] * kernel[1])
        pads = [kernel[0] // 2, kernel[1] // 2] * 2
        return self.node("Conv", [x, weight, self.weight(after, fan_in=200)], kernel_shape=list(kernel), pads=pads)

    def dilated(self, x: str, before: int, after: int, dilation: int) -> str:
        weight = self.weight(after, before, 3, 3, fan_in=9 * before)
        sides = {"dilations": [dilation] * 2, "pads": [dilation] * 4}
        return self.node("Conv", [x, weight, self.weight(after, fan_in=200)], kernel_shape=[3, 3], **sides)

    def unpadded(self, x: str, before: int, after: int, kernel: int) -> str:
        """A convolution whose stride is its kernel: patches."""
        weight = self.weight(after, before, kernel, kernel, fan_in=before * kernel**2)
        sides = {"kernel_shape": [kernel] * 2, "strides": [kernel] * 2}
        return self.node("Conv", [x, weight, self.weight(after, fan_in=200)], **sides)

    def reshaped(self, x: str, *shape: int) -> str:
        return self.node("Reshape", [x, self.constant(np.array(shape, np.int64))])

    def shuffle(self, x: str, channels: int, side: int) -> str:
        """Channels of two groups in turns."""
        apart = self.node("Transpose", [self.reshaped(x, 1, 2, channels // 2, side, side)], perm=[0, 2, 1, 3, 4])
        return self.reshaped(apart, 1, channels, side, side)

    def half(self, x: str, channels: int, which: int) -> str:
        """Half of the channels."""
        start, end = (which * channels // 2, (which + 1) * channels // 2)
        parts = [self.constant(np.array([value], np.int64)) for value in (start, end, 1)]
        return self.node("Slice", [x, *parts])

    def layer_norm(self, x: str, width: int) -> str:
        scale, shift = self.weight(width, fan_in=2), self.weight(width, fan_in=200)
        return self.node("LayerNormalization", [x, scale, shift], axis=-1)

    def normalised(self, x: str, channels: int) -> str:
        """Layer normalisation over the channels of a picture."""
        last = self.node("Transpose", [x], perm=[0, 2, 3, 1])
        return self.node("Transpose", [self.layer_norm(last, channels)], perm=[0, 3, 1, 2])

    def linear(self, x: str, before: int, after: int) -> str:
        product = self.node("MatMul", [x, self.weight(before, after, fan_in=before)])
        return self.node("Add", [product, self.weight(after, fan_in=200)])

    def attention(self, x: str, width: int, *, heads: int, tokens: int) -> str:
        """Self-attention with as many heads."""
        each = width // heads
        query, key, value = (
            self.node(
                "Transpose", [self.reshaped(self.linear(x, width, width), 1, tokens, heads, each)], perm=[0, 2, 1, 3]
            )
            for _ in range(3)
        )
        scores = self.node("MatMul", [query, self.node("Transpose", [key], perm=[0, 1, 3, 2])])
        scaled = self.node("Mul", [scores, self.constant(np.array(each**-0.5, np.float32))])
        mixed = self.node("MatMul", [self.node("Softmax", [scaled], axis=-1), value])
        joined = self.reshaped(self.node("Transpose", [mixed], perm=[0, 2, 1, 3]), 1, tokens, width)
        return self.linear(joined, width, width)

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


def shufflenet(net: _Net, width: int) -> str:
    """Split, depthwise branch, concatenation, channel shuffle (Ma et al. 2018)."""
    x, channels = net.block("image", 3, width, stride=2), width
    side = net.side // 2
    for stage in range(3):
        after, side = width << (stage + 1), side // 2
        left = net.convolution(x, channels, channels, kernel=3, stride=2, group=channels)
        left = net.block(left, channels, after // 2, kernel=1)
        right = net.block(x, channels, after // 2, kernel=1)
        right = net.convolution(right, after // 2, after // 2, kernel=3, stride=2, group=after // 2)
        right = net.block(right, after // 2, after // 2, kernel=1)
        x, channels = net.shuffle(net.node("Concat", [left, right], axis=1), after, side), after
        for _ in range(2):
            kept, worked = net.half(x, after, 0), net.half(x, after, 1)
            worked = net.block(worked, after // 2, after // 2, kernel=1)
            worked = net.convolution(worked, after // 2, after // 2, kernel=3, group=after // 2)
            worked = net.block(worked, after // 2, after // 2, kernel=1)
            x = net.shuffle(net.node("Concat", [kept, worked], axis=1), after, side)
    return net.classify(x, channels)


def densenet(net: _Net, width: int) -> str:
    """Every layer reads all before it (Huang et al. 2017)."""
    x, channels = net.pool(net.block("image", 3, 2 * width, kernel=7, stride=2)), 2 * width
    for stage in range(3):
        for _ in range(4):
            y = net.block(net.block(x, channels, 4 * width, kernel=1), 4 * width, width)
            x, channels = net.node("Concat", [x, y], axis=1), channels + width
        if stage < 2:
            x, channels = net.block(x, channels, channels // 2, kernel=1), channels // 2
            x = net.node("AveragePool", [x], kernel_shape=[2, 2], strides=[2, 2])
    return net.classify(x, channels)


def efficientnet(net: _Net, width: int) -> str:
    """Inverted residuals with swish and squeeze-and-excitation (Tan & Le 2019)."""
    x, channels = net.swish(net.convolution("image", 3, width, kernel=3, stride=2)), width
    for after, kernel, stride in ((1, 3, 1), (2, 3, 2), (2, 3, 1), (3, 5, 2), (5, 3, 2), (5, 5, 1), (8, 5, 2)):
        expanded, after_channels = 4 * channels, after * width
        y = net.swish(net.convolution(x, channels, expanded))
        y = net.swish(net.convolution(y, expanded, expanded, kernel=kernel, stride=stride, group=expanded))
        y = net.convolution(net.squeeze_excitation(y, expanded), expanded, after_channels)
        x = net.node("Add", [x, y]) if stride == 1 and channels == after_channels else y
        channels = after_channels
    return net.classify(x, channels)


def regnet(net: _Net, width: int) -> str:
    """Bottlenecks with grouped convolutions (Radosavovic et al. 2020)."""
    x, channels = net.block("image", 3, width, stride=2), width
    for stage in range(3):
        after = width << (stage + 1)
        for number in range(2):
            stride = 1 if number else 2
            y = net.block(x, channels, after, kernel=1)
            y = net.relu(net.convolution(y, after, after, kernel=3, stride=stride, group=after // 8))
            y = net.convolution(y, after, after)
            short = x if number else net.convolution(x, channels, after, stride=2)
            x, channels = net.relu(net.node("Add", [y, short])), after
    return net.classify(x, channels)


def inception(net: _Net, width: int) -> str:
    """Branches with convolutions of one row and of one column (Szegedy et al. 2016)."""
    x, channels = net.pool(net.block("image", 3, 2 * width, stride=2)), 2 * width
    for number in range(4):
        one = net.block(x, channels, width, kernel=1)
        long = net.block(x, channels, width, kernel=1)
        for kernel in ((1, 7), (7, 1)):
            long = net.relu(net.rectangular(long, width, width, kernel))
        pooled = net.node("AveragePool", [x], kernel_shape=[3, 3], strides=[1, 1], pads=[1] * 4)
        parts = [one, net.block(one, width, width), long, net.block(pooled, channels, width, kernel=1)]
        x, channels = net.node("Concat", parts, axis=1), 4 * width
        x = net.pool(x) if number == 1 else x
    return net.classify(x, channels)


def convnext(net: _Net, width: int) -> str:
    """Wide depthwise kernels, layer normalisation and GELU (Liu et al. 2022)."""
    x, channels = net.unpadded("image", 3, width, 4), width
    for stage in range(3):
        if stage:
            x = net.unpadded(net.normalised(x, channels), channels, 2 * channels, 2)
            channels *= 2
        for _ in range(2):
            y = net.normalised(net.convolution(x, channels, channels, kernel=7, group=channels), channels)
            y = net.convolution(net.gelu(net.convolution(y, channels, 4 * channels)), 4 * channels, channels)
            x = net.node("Add", [x, y])
    return net.classify(x, channels)


def vision_transformer(net: _Net, width: int) -> str:
    """Patches of 16 x 16, self-attention and two-layer perceptrons (Dosovitskiy et al. 2021)."""
    x = net.unpadded("image", 3, width, 16)
    tokens = (net.side // 16) ** 2
    x = net.node("Transpose", [net.reshaped(x, 1, width, tokens)], perm=[0, 2, 1])
    for _ in range(4):
        x = net.node("Add", [x, net.attention(net.layer_norm(x, width), width, heads=4, tokens=tokens)])
        y = net.gelu(net.linear(net.layer_norm(x, width), width, 4 * width))
        x = net.node("Add", [x, net.linear(y, 4 * width, width)])
    mean = net.node("ReduceMean", [net.layer_norm(x, width)], axes=[1], keepdims=0)
    return net.linear(mean, width, 10)


def deeplab(net: _Net, width: int) -> str:
    """Dilated convolutions side by side, then bilinear upsampling (Chen et al. 2017)."""
    x, channels = net.block("image", 3, width, stride=2), width
    for after, stride in ((2, 2), (3, 1), (4, 2), (4, 1)):
        x = net.inverted_residual(x, channels, after * width, expanded=4 * channels, stride=stride)
        channels = after * width
    parts = [net.block(x, channels, 2 * width, kernel=1)]
    parts += [net.relu(net.dilated(x, channels, 2 * width, dilation)) for dilation in (2, 4, 6)]
    x = net.block(net.node("Concat", parts, axis=1), 8 * width, 2 * width, kernel=1)
    return net.upsample(net.convolution(x, 2 * width, 2), 8)


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
    "mobilenet-v2 at 128": (mobilenet_v2, 24, 128),
    "mobilenet-v1 at 160": (mobilenet_v1, 32, 160),
    "vgg at 64": (vgg, 24, 64),
    "squeezenet at 224": (squeezenet, 12, 224),
    "shufflenet at 128": (shufflenet, 24, 128),
    "shufflenet at 224": (shufflenet, 32, 224),
    "densenet at 96": (densenet, 12, 96),
    "densenet at 160": (densenet, 16, 160),
    "efficientnet at 128": (efficientnet, 16, 128),
    "efficientnet at 192": (efficientnet, 24, 192),
    "efficientnet at 224": (efficientnet, 16, 224),
    "regnet at 128": (regnet, 24, 128),
    "regnet at 224": (regnet, 16, 224),
    "inception at 128": (inception, 16, 128),
    "inception at 192": (inception, 24, 192),
    "convnext at 128": (convnext, 24, 128),
    "convnext at 224": (convnext, 16, 224),
    "vision transformer at 128": (vision_transformer, 64, 128),
    "vision transformer at 224": (vision_transformer, 96, 224),
    "deeplab at 160": (deeplab, 16, 160),
}
"""Name to maker, width, and height = width of the input; the first ten are those of older results."""
SEGMENTING = (unet, deeplab)


def write_net(name: str, path: Path, *, width: int | None = None, batch: int = 1) -> Path:
    """The net of ``NETS`` as an ONNX file; of another width or batch size where these are given."""
    make, its_width, side = NETS[name]
    net = _Net(seed=list(NETS).index(name), side=side)
    output = make(net, width or its_width)
    shape: tuple[int | str, ...] = (batch, 2, side, side) if make in SEGMENTING else (batch, 10)
    path.write_bytes(net.finish(output, (batch, 3, side, side), shape).SerializeToString())
    return path


def write_outside_nets(folder: Path) -> dict[str, Path]:
    """One ONNX file for each of ``NETS``."""
    return {name: write_net(name, folder / f"{name.replace(' ', '-')}.onnx") for name in NETS}
