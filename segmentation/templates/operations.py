"""The operations of a template (Nekrasov et al., WACV 2020)."""

from __future__ import annotations

from dataclasses import dataclass

from segmentation.networks.plan_builder import PlanBuilder
from segmentation.templates.feature import Feature

_SEPARABLE = 2
"""Separable convolutions in one operation, each with the operation's stride, as in the published networks."""
_WINDOW = 3
"""Height and width of max pooling."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation; those with a kernel are separable convolutions."""

    name: str
    kernel: int = 0
    dilation: int = 1


OPERATIONS = (
    Operation("separable3x3", 3),
    Operation("separable5x5", 5),
    Operation("pooled"),
    Operation("maximum3x3"),
    Operation("separable5x5-dilation6", 5, 6),
    Operation("skip"),
)
"""By their numbers in genotypes."""
POOLED, MAXIMUM, SKIP = 2, 3, 5
WEIGHTED = range(5)
"""Operations with weights."""


def shrinkage(number: int, stride: int) -> int:
    """By how much an operation makes height and width smaller, where sizes allow it."""
    if number in (POOLED, SKIP):
        return 1
    return stride if number == MAXIMUM else stride**_SEPARABLE


def apply(builder: PlanBuilder, name: str, x: Feature, number: int, channels: int, stride: int) -> Feature:
    """The output of an operation with ``channels``, a multiple of those of ``x``.

    Convolutions have no bias and batch normalisation. ``pooled`` and ``skip`` keep height and width at any stride.
    """
    operation = OPERATIONS[number]
    name = f"{name}.{operation.name}"
    if number == SKIP:
        factor = channels // builder.channels[x.name]
        return x if factor == 1 else Feature(_once(builder, f"{x.name}.repeated", x, factor), x.stride)
    if number == POOLED:
        mean = builder.conv(f"{name}.conv", _mean(builder, x), channels, activation="relu")
        return Feature(builder.enlarge_like(name, mean, x.name), x.stride)
    if number == MAXIMUM:
        wide = builder.conv(f"{name}.conv", x.name, channels)
        return Feature(builder.max_pool(name, wide, _WINDOW, stride), x.stride * shrinkage(number, stride))
    separable = _separable(builder, name, x.name, operation, channels, stride)
    return Feature(separable, x.stride * shrinkage(number, stride))


def _separable(builder: PlanBuilder, name: str, x: str, operation: Operation, channels: int, stride: int) -> str:
    for turn in range(1, _SEPARABLE + 1):
        x = builder.depthwise(
            f"{name}.depthwise{turn}", x, operation.kernel, stride=stride, dilation=operation.dilation,
            activation="none", normalise=False, bias=False,
        )  # fmt: skip
        x = builder.conv(f"{name}.pointwise{turn}", x, channels, activation="relu")
    return x


def _mean(builder: PlanBuilder, x: Feature) -> str:
    """Once for all that read it, as exporters make it."""
    name = f"{x.name}.mean"
    return name if name in builder.channels else builder.pool(name, x.name)


def _once(builder: PlanBuilder, name: str, x: Feature, factor: int) -> str:
    return name if name in builder.channels else builder.repeat(name, x.name, factor)
