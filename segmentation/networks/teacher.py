"""The teacher of distillation: too large for any budget, of the same kinds of layers as the networks of the spaces."""

from __future__ import annotations

from dataclasses import dataclass

from segmentation.networks.plan import INPUT, Plan
from segmentation.networks.plan_builder import PlanBuilder
from segmentation.portrait.plan import decoder_block
from segmentation.portrait.upsampling import full_size_logits

TOTAL_STRIDE = 32
"""The teacher's input sizes are multiples of this."""


@dataclass(frozen=True, slots=True)
class _Stage:
    expansion: int
    width: int
    depth: int
    stride: int
    kernel: int


_STEM_WIDTH = 16
_STAGES = (
    _Stage(1, 16, 1, 1, 3),
    _Stage(4, 24, 2, 2, 3),
    _Stage(4, 40, 3, 2, 5),
    _Stage(5, 80, 5, 2, 3),
    _Stage(5, 112, 4, 1, 5),
    _Stage(6, 160, 3, 2, 5),
)
_SKIPS = (5, 3, 2, 1)
"""Stages (from 1) at strides 16, 8, 4 and 2, from coarse to fine."""
_DECODER_WIDTHS = (96, 64, 40, 24)


def teacher_plan(classes: int = 2) -> Plan:
    """About 2.3 million parameters, most of them at low resolution, so that it trains on a CPU.

    A MobileNetV2-like encoder (arXiv 1801.04381, table 2) with squeeze-and-excitation in its deep half, global context,
    and a decoder with skip connections up to half resolution.
    """
    builder = PlanBuilder()
    outputs = _encoder(builder)
    x = builder.conv("teacher.top", outputs[-1], 160, activation="hswish")
    pooled = builder.pool("teacher.pool", x)
    pooled = builder.conv("teacher.pooled", pooled, 160, activation="relu", normalise=False)
    x = builder.sum("teacher.context", x, pooled)
    for stage, width in zip(_SKIPS, _DECODER_WIDTHS, strict=True):
        name = f"teacher.decoder{stage}"
        x = builder.conv(f"{name}.narrow", x, width)
        x = builder.enlarge(f"{name}.enlarge", x, 2)
        lateral = builder.conv(f"{name}.lateral", outputs[stage - 1], width)
        x = builder.sum(f"{name}.sum", x, lateral)
        x = decoder_block(builder, f"{name}.block", x, "inverted")
    full_size_logits(builder, x, 2, classes, "transposed")
    return builder.plan()


def teacher_size(size: tuple[int, int]) -> tuple[int, int]:
    """``size`` (height, width) rounded up to multiples of the teacher's stride."""
    height, width = (-(-side // TOTAL_STRIDE) * TOTAL_STRIDE for side in size)
    return height, width


def _encoder(builder: PlanBuilder) -> list[str]:
    x = builder.conv("teacher.stem", INPUT, _STEM_WIDTH, 3, stride=2, activation="hswish")
    outputs = []
    for number, stage in enumerate(_STAGES, start=1):
        deep = number > len(_STAGES) // 2
        for block in range(stage.depth):
            x = builder.inverted_residual(
                f"teacher.stage{number}.block{block + 1}",
                x,
                stage.width,
                kernel=stage.kernel,
                expansion=stage.expansion,
                squeeze=deep,
                activation="hswish" if deep else "relu",
                stride=stage.stride if block == 0 else 1,
            )
        outputs.append(x)
    return outputs
