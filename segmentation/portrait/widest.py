"""Nets of the ``portrait`` space that together contain every layer at its largest."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product

from segmentation.networks.plan import Plan
from segmentation.portrait import plan as portrait
from segmentation.portrait.slots import (
    CHOICES,
    CONTEXTS,
    DECODER_KINDS,
    FUSIONS,
    KERNEL_EXPANSIONS,
    KERNELS,
    MAX_DEPTH,
    SIZES,
    SKIPS,
    STAGES,
    UPSAMPLINGS,
    canonical,
    max_strided_stages,
)


def widest_plans(classes: int = 2) -> Iterator[Plan]:
    """Plans whose layers, merged by name, are the largest that any net of the space needs."""
    for choices in (*_encoders(), *_decoders(), *_upsamplings()):
        yield portrait.plan(canonical(_largest() | choices), classes)


def _largest() -> dict[str, int]:
    return {name: choices - 1 for name, choices in CHOICES.items()} | {"size": SIZES.index((256, 256))}


def _encoders() -> Iterator[dict[str, int]]:
    """Every block, with and without expansion, reading from every stage that can stand before it."""
    blocks = [f"stage{stage}.block{block}" for stage in STAGES for block in range(1, MAX_DEPTH + 1)]
    # In the narrow block the kernel is the largest and the expansion the smallest.
    narrow = KERNEL_EXPANSIONS.index((max(KERNELS), 1))
    for token, context in product((narrow, len(KERNEL_EXPANSIONS) - 1), range(len(CONTEXTS))):
        yield dict.fromkeys(blocks, token) | {"context": context}
    for token, pair in product((narrow, len(KERNEL_EXPANSIONS) - 1), combinations((0, *STAGES), 2)):
        absent = {f"stage{stage}.depth": 0 for stage in STAGES if stage not in pair}
        yield dict.fromkeys(blocks, token) | absent
    yield {f"stage{stage}.depth": 0 for stage in STAGES}


def _decoders() -> Iterator[dict[str, int]]:
    """Every fusion and block at every level: the level of a single skip, of none, and of all."""
    for fusion, kind, skipped in product(range(len(FUSIONS)), range(len(DECODER_KINDS)), (None, *SKIPS)):
        skips = {f"skip.{source}": int(source == skipped) for source in SKIPS}
        yield _STRIDED | skips | {"fusion": fusion, "decoder.kind": kind}


def _upsamplings() -> Iterator[dict[str, int]]:
    """Every enlargement: from every resolution to every level of the decoder, and from there to the input's size."""
    strided_stages = range(1, max_strided_stages((256, 256)) + 1)
    for upsampling, skipped, strided in product(range(len(UPSAMPLINGS)), (None, *SKIPS), strided_stages):
        skips = {f"skip.{source}": int(source == skipped) for source in SKIPS}
        strides = {f"stage{stage}.stride": int(stage > len(STAGES) - strided) for stage in STAGES}
        yield _STRIDED | skips | strides | {"upsampling": upsampling}


_STRIDED = {
    f"stage{stage}.{part}": int(part == "depth" or stage > 1) for stage in STAGES for part in ("depth", "stride")
}
"""A block in every stage; the first keeps its resolution, so that the last, too, can halve it within the limit."""
