"""Building blocks of plans."""

from __future__ import annotations

from functools import lru_cache

from segmentation.networks.plan import INPUT, Activation, Layer, Plan

_layer = lru_cache(maxsize=50_000)(Layer)
"""The nets of a space share most layers: equal ones are one object, made once."""


class PlanBuilder:
    """A growing list of layers with the output channels of each; every method returns the name of the layer it adds."""

    def __init__(self, input_channels: int = 3) -> None:
        self.layers: list[Layer] = []
        self.channels: dict[str, int] = {INPUT: input_channels}
        self._input_channels = input_channels

    def plan(self, *, encoder: str = "") -> Plan:
        """The layers so far; ``encoder`` is the one with which the encoder ends."""
        return Plan(tuple(self.layers), self._input_channels, encoder)

    def pruned_plan(self, *, encoder: str = "") -> Plan:
        """As ``plan``, where layers that the last one does not depend on are ``Plan.unread``."""
        read = {self.layers[-1].name}
        for layer in reversed(self.layers):
            if layer.name in read:
                read.update(layer.inputs)
        layers = tuple(layer for layer in self.layers if layer.name in read)
        unread = tuple(layer for layer in self.layers if layer.name not in read)
        return Plan(layers, self._input_channels, encoder, unread)

    def add(self, layer: Layer, channels: int) -> str:
        """Any layer; ``channels`` is the number of its output channels."""
        self.layers.append(layer)
        self.channels[layer.name] = channels
        return layer.name

    def conv(
        self,
        name: str,
        source: str,
        out_channels: int,
        kernel: int = 1,
        *,
        stride: int = 1,
        dilation: int = 1,
        activation: Activation = "none",
        normalise: bool = True,
        bias: bool = True,
    ) -> str:
        """A convolution over all channels."""
        layer = _layer(
            name, "conv", (source,), out_channels, kernel, stride, dilation, False, normalise, activation, bias=bias
        )
        return self.add(layer, out_channels)

    def depthwise(
        self,
        name: str,
        source: str,
        kernel: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        activation: Activation = "relu",
        normalise: bool = True,
        bias: bool = True,
    ) -> str:
        """A convolution within each channel."""
        channels = self.channels[source]
        layer = _layer(
            name, "conv", (source,), channels, kernel, stride, dilation, True, normalise, activation, bias=bias
        )
        return self.add(layer, channels)

    def sum(self, name: str, first: str, second: str) -> str:
        """Element-wise sum; the second may be 1 x 1 in space."""
        return self.add(_layer(name, "add", (first, second)), self.channels[first])

    def concat(self, name: str, *sources: str) -> str:
        """Channels side by side."""
        return self.add(_layer(name, "concat", sources), sum(self.channels[source] for source in sources))

    def repeat(self, name: str, source: str, factor: int) -> str:
        """All channels ``factor`` times."""
        return self.add(_layer(name, "repeat", (source,), factor=factor), factor * self.channels[source])

    def max_pool(self, name: str, source: str, kernel: int, stride: int) -> str:
        """Largest number of each window; ``kernel`` is odd."""
        return self.add(_layer(name, "max_pool", (source,), kernel=kernel, stride=stride), self.channels[source])

    def pool(self, name: str, source: str) -> str:
        """Mean over height and width."""
        return self.add(_layer(name, "global_pool", (source,)), self.channels[source])

    def enlarge(self, name: str, source: str, factor: int) -> str:
        """Bilinear enlargement by a resize operator."""
        return self.add(_layer(name, "resize", (source,), factor=factor), self.channels[source])

    def enlarge_like(self, name: str, source: str, other: str) -> str:
        """Bilinear enlargement to the height and width of ``other``."""
        return self.add(_layer(name, "resize_like", (source, other)), self.channels[source])

    def interpolate(self, name: str, source: str, factor: int) -> str:
        """Learned enlargement within each channel by a transposed convolution; ``factor`` is even."""
        channels = self.channels[source]
        layer = _layer(
            name, "conv_transpose", (source,), channels, 2 * factor, factor,
            depthwise=True, normalise=False, interpolates=True,
        )  # fmt: skip
        return self.add(layer, channels)

    def shuffle(self, name: str, source: str, factor: int, *, kernel: int = 1, shrink: int = 1) -> str:
        """Learned enlargement by a convolution, whose channels become the new pixels.

        With ``shrink`` that many times fewer channels are enlarged, and a second convolution makes all of them from
        these: moving pixels takes longer than computing them.
        """
        channels = self.channels[source]
        few = channels // shrink
        layer = _layer(
            name, "conv", (source,), few * factor**2, kernel, normalise=False, factor=factor, interpolates=True
        )
        x = self.add(layer, few * factor**2)
        x = self.add(_layer(f"{name}.pixels", "pixel_shuffle", (x,), factor=factor), few)
        if shrink == 1:
            return x
        return self.add(_layer(f"{name}.widen", "conv", (x,), channels, normalise=False, interpolates=True), channels)

    def inverted_residual(
        self,
        name: str,
        source: str,
        out_channels: int,
        *,
        kernel: int = 3,
        expansion: int = 6,
        squeeze: bool = False,
        activation: Activation = "relu",
        stride: int = 1,
        dilation: int = 1,
        origin: str = "",
    ) -> str:
        """MobileNetV2's block (arXiv 1801.04381, figure 4), squeeze-and-excitation as in EfficientNet.

        A block without expansion has layer names of its own: its inner channels are the block's input, which
        must not share weights with expanded ones. With an ``origin``, so have the layers that read the origin's
        output: weights for the features of one stage do not fit those of another.
        """
        in_channels = self.channels[source]
        layers = _inverted_residual(
            name,
            source,
            in_channels,
            out_channels,
            kernel,
            expansion,
            squeeze,
            activation,
            stride,
            dilation,
            origin,
        )
        self.layers.extend(layers)
        self.channels[layers[-1].name] = out_channels
        return layers[-1].name


@lru_cache(maxsize=50_000)  # its look-up is quicker where arguments are positional
def _inverted_residual(
    name: str,
    source: str,
    in_channels: int,
    out_channels: int,
    kernel: int,
    expansion: int,
    squeeze: bool,
    activation: Activation,
    stride: int,
    dilation: int,
    origin: str,
) -> tuple[Layer, ...]:
    hidden = in_channels * expansion
    built = PlanBuilder()
    built.channels[source] = in_channels
    x = source
    suffix = f".{origin}" if origin else ""
    inner = f"{name}.inner" if expansion > 1 else f"{name}.narrow{suffix}"
    if expansion > 1:
        x = built.conv(f"{inner}.expand{suffix}", x, hidden, activation=activation)
    x = built.depthwise(f"{inner}.depthwise", x, kernel, stride=stride, dilation=dilation, activation=activation)
    if squeeze:
        gate = built.pool(f"{inner}.pool", x)
        gate = built.conv(f"{inner}.squeeze", gate, max(4, in_channels // 4), activation="relu", normalise=False)
        gate = built.conv(f"{inner}.excite", gate, hidden, activation="hsigmoid", normalise=False)
        x = built.add(_layer(f"{inner}.gate", "mul", (x, gate)), hidden)
    x = built.conv(f"{inner}.project", x, out_channels)
    if stride == 1 and in_channels == out_channels:
        built.sum(f"{name}.residual", source, x)
    return tuple(built.layers)
