"""The torch module of a plan. Importing this module loads torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from segmentation.networks.initial_weights import initialise
from segmentation.networks.plan import INPUT, Layer, Plan

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "hswish": nn.Hardswish,
    "hsigmoid": nn.Hardsigmoid,
}


class Network(nn.Module):
    """Runs a plan's layers: float32 batch x 3 x height x width to logits batch x classes x height x width.

    Height and width may be any multiples of the plan's total stride. The trainable numbers are ``plan.parameters()``.
    The state's keys are ``layers.<position>.<part>`` and ``unread.<position>.<part>``, so that a checkpoint fits any
    equal plan.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan
        channels = plan.channels()
        self.layers = nn.ModuleList(_module(layer, channels[layer.inputs[0]]) for layer in plan.layers)
        self.unread = nn.ModuleList(_module(layer, channels[layer.inputs[0]]) for layer in plan.unread)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of a batch of normalised images."""
        tensors = {INPUT: images}
        remaining = _uses(self.plan)
        x = images
        for layer, module in zip(self.plan.layers, self.layers, strict=True):
            x = cast("Tensor", module(*(tensors[name] for name in layer.inputs)))
            tensors[layer.name] = x
            for name in layer.inputs:
                remaining[name] -= 1
                if not remaining[name]:
                    del tensors[name]
        return x

    def layer(self, name: str) -> nn.Module:
        """The module of a layer, e.g. an ``nn.Sequential`` of convolution, batch normalisation, activation."""
        position = next(index for index, layer in enumerate(self.plan.layers) if layer.name == name)
        return self.layers[position]


class WithoutWeights(nn.Module):
    """A layer that has no weights."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, *inputs: Tensor) -> Tensor:
        """As ``compute``."""
        return compute(self.layer, inputs)


def compute(layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
    """The output of a layer that has no weights: any kind but ``conv`` and ``conv_transpose``."""
    x = inputs[0]
    match layer.kind:
        case "add":
            return x + inputs[1]
        case "mul":
            return x * inputs[1]
        case "concat" | "repeat":
            return torch.cat(list(inputs) * layer.factor, dim=1)
        case "resize" | "resize_like":
            # By a factor, where it can be: so an exported model has constant scales for any height and width.
            aligned = None if layer.mode == "nearest" else False
            size = inputs[1].shape[-2:] if layer.kind == "resize_like" else None
            factor = None if size is not None else float(layer.factor)
            return functional.interpolate(x, size, factor, layer.mode, aligned)
        case "pixel_shuffle":
            return functional.pixel_shuffle(x, layer.factor)
        case _:
            return _pooled(x, layer)


def _pooled(x: Tensor, layer: Layer) -> Tensor:
    if layer.kind == "max_pool":
        return functional.max_pool2d(x, layer.kernel, layer.stride, layer.kernel // 2)
    return functional.adaptive_avg_pool2d(x, 1)


def _uses(plan: Plan) -> dict[str, int]:
    """How many layers read each tensor; the output is kept."""
    uses = dict.fromkeys((INPUT, *(layer.name for layer in plan.layers)), 0)
    for layer in plan.layers:
        for name in layer.inputs:
            uses[name] += 1
    return uses


def _module(layer: Layer, in_channels: int) -> nn.Module:
    return _convolution(layer, in_channels) if layer.kind in ("conv", "conv_transpose") else WithoutWeights(layer)


def _convolution(layer: Layer, in_channels: int) -> nn.Sequential:
    kind: type[nn.Conv2d | nn.ConvTranspose2d]
    if layer.kind == "conv":
        kind, padding = nn.Conv2d, layer.dilation * (layer.kernel - 1) // 2
    else:
        kind, padding = nn.ConvTranspose2d, (layer.kernel - layer.stride) // 2
    convolution = kind(
        in_channels,
        layer.out_channels,
        layer.kernel,
        stride=layer.stride,
        padding=padding,
        dilation=layer.dilation,
        groups=in_channels if layer.depthwise else 1,
        bias=layer.bias and not layer.normalise,
    )
    initialise(convolution.weight, layer)
    parts: list[nn.Module] = [convolution]
    if layer.normalise:
        parts.append(nn.BatchNorm2d(layer.out_channels))
    if layer.activation != "none":
        parts.append(ACTIVATIONS[layer.activation]())
    return nn.Sequential(*parts)
