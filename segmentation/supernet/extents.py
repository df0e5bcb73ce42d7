"""The sizes of a supernet's shared weights.

Layers of equal name share weights: a net uses the first channels and the middle of the kernel of the largest one.
Where a convolution reads a concatenation, each concatenated tensor has weights of its own, because the width of one
must not shift the weights of the next: a tensor's channels are a *layout* of named segments.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from segmentation.networks.plan import INPUT, Layer, Plan

MAIN = "main"
"""The segment of a tensor that comes from one layer, and of the first part of a concatenation."""

Layout = tuple[tuple[str, int], ...]
"""Segments (name, channels) in order."""


@dataclass(frozen=True, slots=True)
class Extent:
    """The largest size of a layer's weights over all nets."""

    layer: Layer
    """One of the layers of this name; kernel and channels may be smaller."""
    kernel: int
    out_channels: int
    inputs: dict[str, int]
    """Channels by segment of the input."""
    residual: bool
    """Whether the layer is the second input of a sum in every net."""


@lru_cache(maxsize=256)
def layouts(plan: Plan) -> dict[str, Layout]:
    """Layout of each tensor by layer name, the input included. The result is cached: do not change it."""
    found: dict[str, Layout] = {INPUT: ((MAIN, plan.input_channels),)}
    channels = plan.channels()
    for layer in plan.layers:
        found[layer.name] = _layout(layer, found, channels[layer.name])
    return found


def _layout(layer: Layer, found: dict[str, Layout], channels: int) -> Layout:
    if layer.kind == "concat":
        first, *others = layer.inputs
        parts = [(MAIN, first), *((name, name) for name in others)]
        return tuple((segment, sum(size for _, size in found[name])) for segment, name in parts)
    if layer.kind in ("pixel_shuffle", "repeat") or (layer.kind in ("conv", "conv_transpose") and not layer.depthwise):
        return ((MAIN, channels),)
    return found[layer.inputs[0]]


def extents(plans: Iterable[Plan]) -> dict[str, Extent]:
    """Extent by name of every layer with weights that occurs in any of the plans, in the order of occurrence."""
    found: dict[str, Extent] = {}
    for plan in plans:
        layout_of = layouts(plan)
        added = {layer.inputs[1] for layer in plan.layers if layer.kind == "add"}
        for layer in plan.layers:
            if layer.kind in ("conv", "conv_transpose"):
                inputs = dict(layout_of[layer.inputs[0]])
                extent = Extent(layer, layer.kernel, layer.out_channels, inputs, layer.name in added)
                known = found.get(layer.name)
                found[layer.name] = extent if known is None else _merged(known, extent)
    return found


def _merged(first: Extent, second: Extent) -> Extent:
    inputs = dict(first.inputs)
    for segment, channels in second.inputs.items():
        inputs[segment] = max(channels, inputs.get(segment, 0))
    return Extent(
        first.layer,
        max(first.kernel, second.kernel),
        max(first.out_channels, second.out_channels),
        inputs,
        first.residual and second.residual,
    )
