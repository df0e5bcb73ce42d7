"""By how much the entries of a pool are smaller than the input, without a plan."""

from __future__ import annotations

from collections.abc import Sequence

from segmentation.templates.genotype import STRIDED, Genotype
from segmentation.templates.operations import shrinkage

STRIDES = (4, 8)
"""Of the encoder's features."""


def output_stride(genotype: Genotype, place: int, strides: Sequence[int]) -> int:
    """The total stride of a layer (from 0), which decides height and width; ``strides`` are those of the pool."""
    layer = genotype.layers[place]
    template, stride = genotype.templates[layer.template], 1 + layer.strided
    of_both = max if place < STRIDED else min
    first, second = strides[layer.first], strides[layer.second]
    for _ in range(layer.further + 1):
        sides = first * shrinkage(template.first, stride), second * shrinkage(template.second, stride)
        first, second = second, of_both(sides)
    return second
