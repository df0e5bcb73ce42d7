"""A layer's output with what decides its height and width."""

from __future__ import annotations

from typing import NamedTuple

from segmentation.networks.plan import INPUT
from segmentation.networks.plan_builder import PlanBuilder

_EXACT = 32
"""Inputs are multiples of it, so that smaller features are multiples of larger ones up to this stride."""


class Feature(NamedTuple):
    """Height and width are those of the input over ``stride`` (a power of two), rounded up."""

    name: str
    stride: int

    def resized(self, builder: PlanBuilder, name: str, other: Feature) -> str:
        """The layer, bilinearly resized to the size of another by a layer ``name``, where sizes differ; made once."""
        if self.stride == other.stride:
            return self.name
        if name in builder.channels:
            return name
        if other.stride < self.stride <= _EXACT:
            return builder.enlarge(name, self.name, self.stride // other.stride)
        return builder.enlarge_like(name, self.name, other.name)


IMAGE = Feature(INPUT, 1)
