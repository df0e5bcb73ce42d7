"""How many different nets the ``portrait`` space holds, counted exactly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import product
from math import prod

from segmentation.portrait import slots

_SQUEEZES = 2
_ABSENT = 0


def number_of_architectures(sizes: Iterable[tuple[int, int]], *, upsamplings: int) -> int:
    """Canonical architectures with one of these input sizes and one of so many upsamplings."""
    return upsamplings * sum(_with_strided_stages(slots.max_strided_stages(size)) for size in sizes)


@cache
def _with_strided_stages(limit: int) -> int:
    """Canonical architectures of one input size that allows ``limit`` strided stages, with one upsampling."""
    elsewhere = len(slots.STEM_WIDTHS) * len(slots.CONTEXTS)
    elsewhere *= len(slots.DECODER_KINDS) * len(slots.DECODER_WIDTHS) * len(slots.DECODER_BLOCKS)
    # Every stage is absent or has one of the strides.
    layouts = (
        layout for layout in product((_ABSENT, *slots.STRIDES), repeat=len(slots.STAGES)) if layout.count(2) <= limit
    )
    return elsewhere * sum(_encoders(layout) * _fusions(layout) for layout in layouts)


def _encoders(layout: Sequence[int]) -> int:
    stages = zip(slots.STAGE_WIDTHS, layout, strict=True)
    encoders: int = prod(len(widths) * _stacks(stride) for widths, stride in stages if stride != _ABSENT)
    return encoders


def _stacks(stride: int) -> int:
    """Choices of blocks, and of the dilation where there is a block behind the strided one."""
    blocks = len(slots.KERNEL_EXPANSIONS) * _SQUEEZES * len(slots.ACTIVATIONS)
    depths = range(1, slots.MAX_DEPTH + 1)
    return sum(blocks**depth * (len(slots.DILATIONS) if depth >= stride else 1) for depth in depths)


def _fusions(layout: Sequence[int]) -> int:
    """Subsets of the outputs that are finer than the last one; any but the empty one can be fused in several ways."""
    present = [stride for stride in layout if stride != _ABSENT]
    # What stands before the last strided stage is finer: the stem and the stages up to there.
    finer = max((position for position, stride in enumerate(present, start=1) if stride > 1), default=0)
    subsets: int = 2**finer
    return 1 + len(slots.FUSIONS) * (subsets - 1)
