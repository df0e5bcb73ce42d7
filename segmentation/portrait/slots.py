"""The slots of the ``portrait`` space, and the canonical form in which equal nets have equal choices.

Two rules restrict the space. The widths of the encoder's stages are disjoint lists, so that a block's width identifies
its stage and no net can be written in two ways. The total stride divides height and width (and is 32 at most), so that
every enlargement in the decoder is by an integer: 256 x 144 is a member of the space with a total stride of 16 at most.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import gcd

from foundation.errors import UserError

SPACE = "portrait"

SIZES = (
    (128, 128),
    (160, 128),
    (192, 128),
    (160, 160),
    (192, 192),
    (256, 144),
    (256, 160),
    (256, 192),
    (224, 224),
    (256, 256),
)
"""Height and width of the input, by area."""
STEM_WIDTHS = (8, 12, 16, 24)
STAGES = (1, 2, 3, 4, 5)
DEPTHS = (0, 1, 2, 3, 4)
MAX_DEPTH = 4
STAGE_WIDTHS = ((8, 12, 16), (20, 24, 32), (40, 48, 64), (56, 80, 96), (72, 112, 160))
KERNELS = (3, 5, 7)
EXPANSIONS = (1, 2, 3, 4, 6)
KERNEL_EXPANSIONS = tuple((kernel, expansion) for expansion in EXPANSIONS for kernel in KERNELS)
"""A block's kernel and width are one ordered choice, because their effect on latency is joint."""
ACTIVATIONS = ("relu", "hswish")
STRIDES = (1, 2)
DILATIONS = (1, 2)
CONTEXTS = ("none", "global_pooling", "pyramid")
SKIPS = ("stem", "stage1", "stage2", "stage3", "stage4")
"""Stage 5 is always the encoder's output, so it is never a skip."""
FUSIONS = ("add", "concat")
DECODER_KINDS = ("plain", "separable", "inverted")
DECODER_WIDTHS = (16, 24, 32, 48, 64)
DECODER_BLOCKS = (1, 2, 3)
UPSAMPLINGS = ("bilinear", "nearest", "transposed", "shuffle")
MAX_STRIDE = 32


@dataclass(frozen=True, slots=True)
class Slot:
    """A named choice; ``labels[choice]`` is the meaning of the integer."""

    name: str
    labels: tuple[str, ...]


def _slot(name: str, values: Iterable[object]) -> Slot:
    return Slot(name, tuple(str(value) for value in values))


def _stage_slots(stage: int) -> Iterable[Slot]:
    yield _slot(f"stage{stage}.depth", DEPTHS)
    yield _slot(f"stage{stage}.width", STAGE_WIDTHS[stage - 1])
    yield _slot(f"stage{stage}.stride", STRIDES)
    yield _slot(f"stage{stage}.dilation", DILATIONS)
    for block in range(1, MAX_DEPTH + 1):
        yield _slot(f"stage{stage}.block{block}", (f"k{kernel}e{expansion}" for kernel, expansion in KERNEL_EXPANSIONS))
        yield _slot(f"stage{stage}.block{block}.squeeze", ("off", "on"))
        yield _slot(f"stage{stage}.block{block}.activation", ACTIVATIONS)


SLOTS: tuple[Slot, ...] = (
    _slot("size", (f"{height}x{width}" for height, width in SIZES)),
    _slot("stem", STEM_WIDTHS),
    *(slot for stage in STAGES for slot in _stage_slots(stage)),
    _slot("context", CONTEXTS),
    *(_slot(f"skip.{source}", ("off", "on")) for source in SKIPS),
    _slot("fusion", FUSIONS),
    _slot("decoder.kind", DECODER_KINDS),
    _slot("decoder.width", DECODER_WIDTHS),
    _slot("decoder.blocks", DECODER_BLOCKS),
    _slot("upsampling", UPSAMPLINGS),
)
SLOT_NAMES = tuple(slot.name for slot in SLOTS)
LABELS = {slot.name: slot.labels for slot in SLOTS}
"""Meanings of the choices by slot."""
CHOICES = {name: len(labels) for name, labels in LABELS.items()}
"""Number of choices by slot."""
BLOCK_SLOTS = {
    (stage, block): tuple(f"stage{stage}.block{block}{part}" for part in ("", ".squeeze", ".activation"))
    for stage in STAGES
    for block in range(1, MAX_DEPTH + 1)
}
"""Names of the three slots of a block."""


def max_strided_stages(size: tuple[int, int]) -> int:
    """How many stages may halve the resolution, the stem having done so once."""
    common, stages = gcd(MAX_STRIDE, *size), 0
    while common > 2:
        common, stages = common // 2, stages + 1
    return stages


def strides(choices: Mapping[str, int]) -> dict[str, int]:
    """Total stride at the output of the stem and of each stage that is present, in the order of the encoder."""
    total, found = 2, {"stem": 2}
    for stage in STAGES:
        if choices[f"stage{stage}.depth"]:
            total *= STRIDES[choices[f"stage{stage}.stride"]]
            found[f"stage{stage}"] = total
    return found


def possible_skips(choices: Mapping[str, int]) -> tuple[str, ...]:
    """Encoder outputs that are finer than the last one; only those are of use to the decoder."""
    found = strides(choices)
    last = list(found.values())[-1]
    return tuple(source for source, stride in found.items() if stride < last)


def dilates(choices: Mapping[str, int], stage: int) -> bool:
    """Whether the stage's dilation has an effect: a block of stride 2 is not dilated, since NPU compilers refuse it."""
    return choices[f"stage{stage}.depth"] > choices[f"stage{stage}.stride"]


def canonical(choices: Mapping[str, int]) -> dict[str, int]:
    """The choices of the same net with 0 for those without effect, in the order of ``SLOT_NAMES``.

    Without effect are blocks beyond the depth; width, stride and dilation of an absent stage; dilation of a strided
    stage of one block; skips that are not finer than the encoder's output; and the fusion where there is no skip.
    Strides beyond the allowed total become 1, from the deepest stage upwards.
    """
    chosen = {name: choices[name] for name in SLOT_NAMES}
    strided_left = max_strided_stages(SIZES[chosen["size"]])
    for stage in STAGES:
        depth = chosen[f"stage{stage}.depth"]
        if not depth:
            chosen[f"stage{stage}.width"] = chosen[f"stage{stage}.stride"] = 0
        for block in range(depth + 1, MAX_DEPTH + 1):
            for name in BLOCK_SLOTS[stage, block]:
                chosen[name] = 0
        chosen[f"stage{stage}.stride"] = min(chosen[f"stage{stage}.stride"], strided_left)
        strided_left -= chosen[f"stage{stage}.stride"]
        if not dilates(chosen, stage):
            chosen[f"stage{stage}.dilation"] = 0
    possible = possible_skips(chosen)
    for source in SKIPS:
        if source not in possible:
            chosen[f"skip.{source}"] = 0
    if not any(chosen[f"skip.{source}"] for source in possible):
        chosen["fusion"] = 0
    return chosen


def check(choices: Mapping[str, int]) -> None:
    """Raises ``UserError`` where the choices are not those of a canonical net of the space."""
    names = tuple(choices)
    if names != SLOT_NAMES:
        differing = sorted(set(names) ^ set(SLOT_NAMES)) or ["slots in another order"]
        raise _error(
            f"{len(names)} slots, differing in {', '.join(differing[:3])}", f"the {len(SLOT_NAMES)} slots in order"
        )
    for name, choice in choices.items():
        if not 0 <= choice < CHOICES[name]:
            raise _error(f"{name} = {choice}", f"{name} in 0..{CHOICES[name] - 1}")
    effective = canonical(choices)
    for name, choice in choices.items():
        if choice != effective[name]:
            raise _error(f"{name} = {choice}", f"{name} = {effective[name]}, as the choice has no effect in this net")


def _error(seen: str, expected: str) -> UserError:
    return UserError(
        "architecture",
        seen=seen,
        expected=expected,
        remedy="take architectures from `latseg describe --space portrait --random 1 --json`",
    )
