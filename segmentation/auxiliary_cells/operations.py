"""The operations of a cell (Nekrasov et al., CVPR 2019, section 3.1): as many channels as before, stride 1."""

from __future__ import annotations

from dataclasses import dataclass

from segmentation.networks.plan_builder import PlanBuilder


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation; all but ``skip`` and ``zero`` have weights."""

    name: str
    kernel: int = 0
    dilation: int = 1
    separable: bool = False
    """A depthwise convolution and a 1 x 1 convolution, with one batch normalisation behind both."""
    pooled: bool = False
    """Of the mean over height and width, enlarged again."""


OPERATIONS = (
    Operation("conv1x1", 1),
    Operation("conv3x3", 3),
    Operation("separable3x3", 3, separable=True),
    Operation("separable5x5", 5, separable=True),
    Operation("pooled", 1, pooled=True),
    Operation("conv3x3-dilation3", 3, 3),
    Operation("conv3x3-dilation12", 3, 12),
    Operation("separable3x3-dilation3", 3, 3, separable=True),
    Operation("separable5x5-dilation6", 5, 6, separable=True),
    Operation("skip"),
    Operation("zero"),
)
"""By their numbers in genotypes."""
WEIGHTED = range(9)
"""Operations with weights."""
SKIP, ZERO = 9, 10


def apply(builder: PlanBuilder, name: str, x: str, number: int) -> str:
    """The output of an operation with weights on ``x``: convolution without bias, batch normalisation, ReLU."""
    operation, channels = OPERATIONS[number], builder.channels[x]
    name = f"{name}.{operation.name}"
    if operation.pooled:
        mean = f"{x}.mean"  # once for all that read it, as exporters make it
        if mean not in builder.channels:
            builder.pool(mean, x)
        return builder.enlarge_like(name, builder.conv(f"{name}.conv", mean, channels, activation="relu"), x)
    kernel, dilation = operation.kernel, operation.dilation
    if operation.separable:
        x = builder.depthwise(
            f"{name}.depthwise", x, kernel, dilation=dilation, activation="none", normalise=False, bias=False
        )
        return builder.conv(name, x, channels, activation="relu")
    return builder.conv(name, x, channels, kernel, dilation=dilation, activation="relu")
