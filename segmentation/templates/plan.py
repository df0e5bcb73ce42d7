"""The nets of the ``templates`` space: the first rows of an encoder, and layers made of templates."""

from __future__ import annotations

from collections.abc import Sequence

from segmentation.auxiliary_cells.encoder import encoder_rows
from segmentation.networks.plan import Plan
from segmentation.networks.plan_builder import PlanBuilder
from segmentation.templates.feature import IMAGE, Feature
from segmentation.templates.genotype import FEATURES, STRIDED, Genotype, Layer, Template
from segmentation.templates.operations import apply
from segmentation.templates.strides import STRIDES

CHANNELS = 64
"""Of the published decoders (``agg``)."""
_ENCODER_ROWS = 3
"""The features are those of the last two."""
_SUM = 0
"""Number of this aggregation; 1 is concatenation."""


def plan(genotype: Genotype, classes: int = 2, *, encoder: str = "full", channels: int = CHANNELS) -> Plan:
    """The net's layers; logits: batch x classes x height x width of the input, both multiples of 32.

    The encoder's last row is ``Plan.unread`` where no layer reads it. Not as published: the ReLU on the concatenated
    outputs is left out, and the logits are enlarged to the input's size.
    """
    builder = PlanBuilder()
    features = encoder_rows(builder, encoder, _ENCODER_ROWS)[-FEATURES:]
    pool = [Feature(name, stride) for name, stride in zip(features, STRIDES, strict=True)]
    for number, layer in enumerate(genotype.layers, start=1):
        made = _Layer(builder, f"decoder.layer{number}", layer, genotype.templates[layer.template], number > STRIDED)
        pool.append(made.applied(pool[layer.first], pool[layer.second]))
    read = {entry for layer in genotype.layers for entry in (layer.first, layer.second)}
    outputs = [pool[entry] for entry in range(FEATURES, len(pool)) if entry not in read]
    finest = min(outputs, key=lambda output: output.stride)
    x = builder.conv("decoder.collect", _collected(builder, outputs, finest), channels, activation="relu")
    x = builder.conv("decoder.classes", x, classes, 3, normalise=False)
    Feature(x, finest.stride).resized(builder, "decoder.logits", IMAGE)
    return builder.pruned_plan(encoder=features[max(entry for entry in read if entry < FEATURES)])


def _collected(builder: PlanBuilder, outputs: Sequence[Feature], finest: Feature) -> str:
    """All outputs that no layer reads, side by side at the largest size."""
    parts = [output.resized(builder, f"{output.name}.enlarge", finest) for output in outputs]
    return parts[0] if len(parts) == 1 else builder.concat("decoder.concat", *parts)


class _Layer:
    """Repeats of a template.

    Args:
        larger: both inputs of an aggregation are brought to the larger of their sizes, not to the smaller.
    """

    def __init__(self, builder: PlanBuilder, name: str, layer: Layer, template: Template, larger: bool) -> None:
        self._builder, self._name, self._layer, self._template = builder, name, layer, template
        self._of_both = min if larger else max

    def applied(self, first: Feature, second: Feature) -> Feature:
        """Each further repeat reads what the second operation of the one before read, and that one's output."""
        stride = 2 if self._layer.strided else 1
        for repeat in range(self._layer.further + 1):
            name = self._name if repeat == self._layer.further else f"{self._name}.output{repeat + 1}"
            parts = f"{self._name}.repeat{repeat + 1}"
            widened = stride if repeat == 0 else 1
            x = self._operated(f"{parts}.first", first, self._template.first, widened, stride)
            y = self._operated(f"{parts}.second", second, self._template.second, widened, stride)
            first, second = second, self._aggregated(name, parts, x, y)
        return second

    def _operated(self, name: str, x: Feature, operation: int, widened: int, stride: int) -> Feature:
        return apply(self._builder, name, x, operation, widened * self._builder.channels[x.name], stride)

    def _aggregated(self, name: str, parts: str, first: Feature, second: Feature) -> Feature:
        channels = max(self._builder.channels[each.name] for each in (first, second))
        size = self._of_both(first, second, key=lambda each: each.stride)
        sides = [
            self._branch(f"{parts}.{side}", each, channels, size)
            for side, each in (("first", first), ("second", second))
        ]
        return Feature(self._builder.sum(name, *sides), size.stride)

    def _branch(self, name: str, x: Feature, channels: int, size: Feature) -> str:
        """One term of the aggregation.

        A sum scales each channel. A convolution over both inputs side by side is the sum of one over each; the
        published batch normalisation before it is a scale and a shift of each channel here, without statistics of the
        batch.
        """
        builder = self._builder
        if builder.channels[x.name] != channels:
            x = Feature(builder.conv(f"{name}.adapt", x.name, channels, activation="relu"), x.stride)
        y = x.resized(builder, f"{x.name}.at{size.stride}", size)
        if self._template.aggregation == _SUM:
            return builder.depthwise(f"{name}.scale", y, 1, activation="none", normalise=False, bias=False)
        y = builder.depthwise(f"{name}.shift", y, 1, activation="relu", normalise=False)
        return builder.conv(f"{name}.project", y, channels, normalise=False, bias=False)
