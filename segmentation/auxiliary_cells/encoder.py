"""The encoder: MobileNetV2 (Sandler et al., arXiv 1801.04381, table 2), or a narrow and shorter one."""

from __future__ import annotations

from dataclasses import dataclass

from segmentation.networks.plan import INPUT
from segmentation.networks.plan_builder import PlanBuilder

STRIDES = (4, 8, 16, 32)
"""Of the features, in the order of the pool."""

_STEM_WIDTH = 32
_ROWS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Expansion, width, blocks and stride of each row of the table."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """``width`` scales all widths, rounded down; the first ``rows`` of the table are there."""

    width: float
    rows: int


PREFIX = "encoder."
"""Of the names of its layers."""
ENCODERS = {"full": Encoder(1.0, 7), "small": Encoder(0.35, 6)}
"""1,812,800 and 179,848 parameters."""


def encoder_features(builder: PlanBuilder, name: str) -> tuple[str, ...]:
    """Layers with the features at ``STRIDES``: 24, 32, 96 and 320 channels, of the small one 8, 11, 33 and 56."""
    rows = encoder_rows(builder, name, ENCODERS[name].rows)
    return rows[1], rows[2], rows[4], rows[-1]


def encoder_rows(builder: PlanBuilder, name: str, count: int) -> tuple[str, ...]:
    """The last layers of the first ``count`` rows of the table.

    As in the published search, blocks with an expansion of 1 have an expanding convolution, too.
    """
    encoder = ENCODERS[name]
    x = builder.conv(f"{PREFIX}stem", INPUT, int(_STEM_WIDTH * encoder.width), 3, stride=2, activation="relu6")
    rows = []
    for number, (expansion, width, blocks, stride) in enumerate(_ROWS[:count], start=1):
        for block in range(1, blocks + 1):
            first = stride if block == 1 else 1
            x = _block(builder, f"{PREFIX}row{number}.block{block}", x, int(width * encoder.width), expansion, first)
        rows.append(x)
    return tuple(rows)


def _block(builder: PlanBuilder, name: str, source: str, width: int, expansion: int, stride: int) -> str:
    x = builder.conv(f"{name}.expand", source, expansion * builder.channels[source], activation="relu6")
    x = builder.depthwise(f"{name}.depthwise", x, 3, stride=stride, activation="relu6")
    x = builder.conv(f"{name}.project", x, width)
    residual = stride == 1 and builder.channels[source] == width
    return builder.sum(f"{name}.residual", source, x) if residual else x
