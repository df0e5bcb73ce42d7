"""Nets of the ``portrait`` space that contain, between them, every layer at its largest."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, product

from segmentation import portrait
from segmentation.plan import Plan
from segmentation.portrait_slots import (
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
)


def widest_plans(classes: int = 2) -> Iterator[Plan]:
    """Plans whose layers, merged by name, are the largest that any net of the space needs."""
    yield from _deepest(classes)
    yield from _decoders(classes)


def _largest() -> dict[str, int]:
    return {name: choices - 1 for name, choices in CHOICES.items()} | {"size": SIZES.index((256, 256))}


def _deepest(classes: int) -> Iterator[Plan]:
    """Every block, with and without expansion."""
    blocks = [f"stage{stage}.block{block}" for stage in STAGES for block in range(1, MAX_DEPTH + 1)]
    # In the narrow block the kernel is the largest and the expansion the smallest.
    narrow = KERNEL_EXPANSIONS.index((max(KERNELS), 1))
    for token, context in product((narrow, len(KERNEL_EXPANSIONS) - 1), range(len(CONTEXTS))):
        choices = _largest() | dict.fromkeys(blocks, token) | {"context": context}
        yield portrait.plan(canonical(choices), classes)
        # The widest stem is wider than the first stage, so a later stage's first block may read more from the stem.
        yield portrait.plan(canonical(choices | {"stage1.depth": 0}), classes)


def _decoders(classes: int) -> Iterator[Plan]:
    """Every place where skips can meet: it depends on which stages halve the resolution and which are skipped in."""
    flat = _largest() | {f"stage{stage}.depth": 1 for stage in STAGES}
    upsampling = cycle(range(len(UPSAMPLINGS)))
    layouts = product((0, 1), repeat=len(STAGES) + len(SKIPS))
    seen = set()
    for layout, fusion in product(layouts, range(len(FUSIONS))):
        strides = {f"stage{stage}.stride": stride for stage, stride in zip(STAGES, layout, strict=False)}
        skips = {f"skip.{source}": skip for source, skip in zip(SKIPS, layout[len(STAGES) :], strict=True)}
        net = canonical(flat | strides | skips | {"fusion": fusion})
        if net in seen:
            continue
        seen.add(net)
        for kind in range(len(DECODER_KINDS)):
            changes = {"decoder.kind": kind, "upsampling": next(upsampling)}
            yield portrait.plan(net.replaced(changes), classes)
