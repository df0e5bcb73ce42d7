"""Small nets of the kinds that people bring: classifier, U-Net, squeeze-and-excitation, vision transformer."""

from __future__ import annotations

from collections.abc import Callable

from tests.latency.operators.opset_builder import OpsetBuilder

Net = Callable[[OpsetBuilder], str]


def classifier(b: OpsetBuilder) -> str:
    """Depthwise and grouped convolutions with batch normalisation and three activations, a linear layer, softmax."""
    x = b.hard_swish(b.convolution("image", 3, 16, kernel=3, stride=2, norm=True))
    x = b.relu6(b.convolution(x, 16, 16, kernel=3, group=16, norm=True))
    x = b.silu(b.convolution(x, 16, 32, group=4, norm=True))
    x = b.node("Identity", b.dropout(b.node("GlobalAveragePool", x)))
    x = b.reshape(x, b.side(x, 0), -1)
    x = b.node("Gemm", x, b.weight(10, 32), b.weight(10), transB=1)
    return b.node("Softmax", x, axis=-1)


def flat_classifier(b: OpsetBuilder) -> str:
    """Mean over space without kept sides; pooling with explicit defaults."""
    x = b.node("Relu", b.convolution("image", 3, 8, kernel=3))
    x = b.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=0, dilations=[1, 1])
    x = b.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2], count_include_pad=0)
    x = b.node("Flatten", b.reduce_mean(x, [2, 3], keep=0), axis=1)
    return b.node("Gemm", x, b.weight(8, 10), b.weight(10), alpha=1.0, beta=1.0)


def u_net(b: OpsetBuilder) -> str:
    """Transposed convolution on one way up, a resize to a size known at run time on the other."""
    first = b.node("Relu", b.convolution("image", 3, 8, kernel=3, norm=True))
    second = b.node("Relu", b.convolution(pool(b, first), 8, 16, kernel=3))
    deep = b.node("Relu", b.convolution(pool(b, second), 16, 32, kernel=3))
    up = b.node("ConvTranspose", deep, b.weight(32, 16, 2, 2), b.weight(16), kernel_shape=[2, 2], strides=[2, 2])
    up = b.node("LeakyRelu", b.convolution(b.node("Concat", up, second, axis=1), 32, 8, kernel=3), alpha=0.1)
    up = b.node("Concat", b.resize_like(up, first), first, axis=1)
    return b.resize_like(b.node("Sigmoid", b.convolution(up, 16, 2)), "image", "nearest")


def pool(b: OpsetBuilder, x: str) -> str:
    return b.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])


def squeeze_excite(b: OpsetBuilder) -> str:
    """The gate through linear layers, as in the paper (Hu et al. 2018), and a residual."""
    x = b.hard_swish(b.convolution("image", 3, 16, kernel=3, stride=2))
    gate = b.squeeze(b.node("GlobalAveragePool", x), [2, 3])
    gate = b.node("Relu", b.node("MatMul", gate, b.weight(16, 4)))
    gate = b.node("Sigmoid", b.node("Add", b.node("MatMul", gate, b.weight(4, 16)), b.weight(16)))
    x = b.node("Add", b.node("Mul", x, b.unsqueeze(gate, [2, 3])), x)
    first, second = b.split(x, [8, 8], 1)
    return b.node("Concat", second, first, axis=1)


def transformer(b: OpsetBuilder) -> str:
    """Patches, one block of self-attention with two heads, mean of the tokens (Dosovitskiy et al. 2021)."""
    width, heads = 16, 2
    patches = b.node("Conv", "image", b.weight(width, 3, 8, 8), b.weight(width), kernel_shape=[8, 8], strides=[8, 8])
    batch = b.side(patches, 0)
    tokens = b.node("Transpose", b.reshape(patches, batch, width, -1), perm=[0, 2, 1])
    normal = b.layer_norm(tokens, width)
    split = []
    for _ in "qkv":
        linear = b.node("Add", b.node("MatMul", normal, b.weight(width, width)), b.weight(width))
        split.append(b.node("Transpose", b.reshape(linear, batch, -1, heads, width // heads), perm=[0, 2, 1, 3]))
    query, key, value = split
    scores = b.node("MatMul", query, b.node("Transpose", key, perm=[0, 1, 3, 2]))
    scores = b.node(
        "Softmax", b.node("Div", scores, b.constant((width / heads) ** 0.5)), axis=-1 if b.opset >= 13 else 3
    )
    mixed = b.node("Transpose", b.node("MatMul", scores, value), perm=[0, 2, 1, 3])
    tokens = b.node("Add", tokens, b.node("MatMul", b.reshape(mixed, batch, -1, width), b.weight(width, width)))
    inner = b.gelu(
        b.node("Add", b.weight(2 * width), b.node("MatMul", b.layer_norm(tokens, width), b.weight(width, 2 * width)))
    )
    tokens = b.node("Add", b.node("MatMul", inner, b.weight(2 * width, width)), tokens)
    return b.reduce_mean(tokens, [1], keep=0)


NETS: dict[str, tuple[Net, int]] = {
    "classifier": (classifier, 2),
    "flat classifier": (flat_classifier, 2),
    "u-net": (u_net, 4),
    "squeeze-excite": (squeeze_excite, 4),
    "transformer": (transformer, 2),
}
"""Name to maker and rank of the output."""
