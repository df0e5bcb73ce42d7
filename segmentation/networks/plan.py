"""A network as a list of layers, from which its module, its slice of a supernet and its operator graph are made.

One description with three readers (``network.py``, ``segmentation/supernet/supernet.py``,
``search/spaces/lowering.py``): the net that is trained, searched and predicted is the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "conv", "conv_transpose", "global_pool", "max_pool", "add", "mul", "concat", "repeat", "resize", "resize_like",
    "pixel_shuffle",
]  # fmt: skip
Activation = Literal["none", "relu", "relu6", "hswish", "hsigmoid"]
ResizeMode = Literal["bilinear", "nearest"]

INPUT = "input"
"""Name by which layers refer to the net's input."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer; fields that a kind does not use keep their defaults.

    conv: padding ``dilation * (kernel - 1) // 2``, so height and width shrink by ``stride``, rounded up. ``depthwise``
    gives one group per channel. ``normalise`` puts batch normalisation behind a bias-free convolution; without it the
    convolution has a bias, unless ``bias`` is off. conv_transpose: kernel ``kernel``, stride ``stride``, padding
    ``(kernel - stride) // 2``, so height and width grow by ``stride``. add, mul: element-wise; the second input may be
    1 x 1 in space (broadcast). resize and pixel_shuffle grow height and width by ``factor``; resize is half-pixel
    (``align_corners=False``); a conv with a ``factor`` makes the channels for a pixel_shuffle of that factor.
    resize_like: a resize to the height and width of the second input. max_pool: padding ``kernel // 2``, so height and
    width shrink by ``stride``, rounded up. repeat: all channels ``factor`` times.
    """

    name: str
    """Unique in the plan; equal names in two plans share weights in a supernet."""
    kind: Kind
    inputs: tuple[str, ...]
    out_channels: int = 0
    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    depthwise: bool = False
    normalise: bool = True
    activation: Activation = "none"
    factor: int = 1
    mode: ResizeMode = "bilinear"
    interpolates: bool = False
    """Whether a conv or conv_transpose starts as an interpolation, and not with random weights."""
    bias: bool = True
    """Whether a convolution without batch normalisation has a bias."""
    _hash: int = field(init=False, repr=False, compare=False)
    """Computed once, because plans and graphs are looked up by their layers very often."""

    def __post_init__(self) -> None:
        sizes = (self.out_channels, self.kernel, self.stride, self.dilation, self.depthwise, self.factor)
        object.__setattr__(self, "_hash", hash((self.name, self.kind, self.inputs, self.activation, sizes)))

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True, slots=True)
class Plan:
    """Layers in order of execution; the last one yields the logits (batch x classes x height x width)."""

    layers: tuple[Layer, ...]
    input_channels: int = 3
    encoder: str = ""
    """The layer with which the encoder ends, and before which no layer of the decoder stands; empty where the plan does
    not say."""
    unread: tuple[Layer, ...] = ()
    """Layers that the logits do not depend on, in order of execution: their weights are parameters of the net, but they
    are never run."""

    @property
    def classes(self) -> int:
        """Channels of the logits."""
        return self.channels()[self.layers[-1].name]

    def channels(self) -> dict[str, int]:
        """Output channels by layer name, the input included."""
        channels = {INPUT: self.input_channels}
        for layer in (*self.layers, *self.unread):
            channels[layer.name] = layer.out_channels or _out_channels(layer, [channels[name] for name in layer.inputs])
        return channels

    def sizes(self, height: int, width: int) -> dict[str, tuple[int, int]]:
        """Output height and width by layer name, the input included."""
        sizes = {INPUT: (height, width)}
        for layer in self.layers:
            sizes[layer.name] = _out_size(layer, sizes[layer.inputs[-1 if layer.kind == "resize_like" else 0]])
        return sizes

    def parameters(self, *, prefix: str = "") -> int:
        """Trainable numbers: weights, biases, scale and shift of batch normalisation.

        ``prefix`` counts only the layers whose name starts with it, e.g. ``"decoder"``.
        """
        channels = self.channels()
        total = 0
        for layer in (*self.layers, *self.unread):
            if layer.out_channels and layer.name.startswith(prefix):
                fan_in = 1 if layer.depthwise else channels[layer.inputs[0]]
                total += layer.out_channels * (fan_in * layer.kernel**2 + (2 if layer.normalise else layer.bias))
        return total


def _out_channels(layer: Layer, inputs: list[int]) -> int:
    """Output channels of a layer that is not a convolution."""
    match layer.kind:
        case "concat":
            return sum(inputs)
        case "repeat":
            return inputs[0] * layer.factor
        case "pixel_shuffle":
            return inputs[0] // layer.factor**2
        case _:
            return inputs[0]


def _out_size(layer: Layer, size: tuple[int, int]) -> tuple[int, int]:
    height, width = size
    match layer.kind:
        case "conv" | "max_pool":
            return -(-height // layer.stride), -(-width // layer.stride)
        case "conv_transpose":
            return height * layer.stride, width * layer.stride
        case "global_pool":
            return 1, 1
        case "resize" | "pixel_shuffle":
            return height * layer.factor, width * layer.factor
        case _:
            return size
