"""How many different nets the ``portrait`` space holds, counted exactly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import product
from math import prod

from segmentation.portrait import slots

_SQUEEZES = 2
_ABSENT = 0


def number_of_architectures(sizes: Iterable[tuple[int, int]]) -> int:
    """Canonical architectures with one of these input sizes."""
    return sum(_with_strided_stages(slots.max_strided_stages(size)) for size in sizes)


@cache
def _with_strided_stages(limit: int) -> int:
    """Canonical architectures of one input size that allows ``limit`` strided stages."""
    elsewhere = len(slots.STEM_WIDTHS) * len(slots.CONTEXTS) * len(slots.UPSAMPLINGS)
    elsewhere *= len(slots.DECODER_KINDS) * len(slots.DECODER_WIDTHS) * len(slots.DECODER_BLOCKS)
    # Every stage is absent or has one of the strides.
    layouts = (
        layout for layout in product((_ABSENT, *slots.STRIDES), repeat=len(slots.STAGES)) if layout.count(2) <= limit
    )
    return elsewhere * sum(_encoders(layout) * _fusions(layout) for layout in layouts)


def _encoders(layout: Sequence[int]) -> int:
    blocks = len(slots.KERNEL_EXPANSIONS) * _SQUEEZES * len(slots.ACTIVATIONS)
    stacks = sum(blocks**depth for depth in range(1, slots.MAX_DEPTH + 1))
    present = [widths for widths, stride in zip(slots.STAGE_WIDTHS, layout, strict=True) if stride != _ABSENT]
    encoders: int = prod(len(widths) * len(slots.DILATIONS) * stacks for widths in present)
    return encoders


def _fusions(layout: Sequence[int]) -> int:
    """Subsets of the outputs that are finer than the last one; any but the empty one can be fused in several ways."""
    present = [stride for stride in layout if stride != _ABSENT]
    # What stands before the last strided stage is finer: the stem and the stages up to there.
    finer = max((position for position, stride in enumerate(present, start=1) if stride > 1), default=0)
    subsets: int = 2**finer
    return 1 + len(slots.FUSIONS) * (subsets - 1)
