"""Nets of the ``portrait`` space designed by hand, in a few minutes each, to stand beside searched ones."""

from __future__ import annotations

from dataclasses import dataclass

from search.architecture import Architecture
from search.spaces.portrait.space import portrait_architecture
from segmentation.portrait import slots


@dataclass(frozen=True, slots=True)
class Design:
    """What a person writes down; by stage where there are five numbers."""

    depths: tuple[int, ...]
    expansion: int = 3
    widths: tuple[int, ...] = (1, 1, 1, 1, 1)
    """Positions in the stages' lists of widths."""
    kernel: int = 3
    stem: int = 16
    decoder: str = "separable"
    decoder_width: int = 32
    context: str = "global_pooling"
    upsampling: str = "bilinear"


DESIGNS = {
    "tiny": Design((1, 1, 1, 1, 0), expansion=2, widths=(0, 0, 0, 0, 0), stem=8, decoder_width=16),
    "small": Design((1, 1, 2, 1, 1), expansion=2, widths=(0, 0, 0, 0, 0), stem=8, decoder_width=16),
    "slim": Design((1, 2, 2, 2, 1), expansion=2, widths=(0, 0, 0, 0, 0), stem=12, decoder_width=24),
    "plain": Design((1, 2, 3, 2, 1)),
    "inverted": Design((1, 2, 3, 2, 1), decoder="inverted"),
    "wide-decoder": Design((1, 2, 3, 2, 1), decoder_width=48),
    "large-kernels": Design((1, 2, 3, 2, 1), kernel=5),
    "expanded": Design((1, 2, 3, 2, 1), expansion=4),
    "deep": Design((1, 3, 4, 3, 2), expansion=2),
    "pyramid": Design((1, 2, 3, 2, 1), context="pyramid"),
}


def architecture(design: Design, size: tuple[int, int] = (128, 128)) -> Architecture:
    """The net at an input of this height and width: every skip, strides from the second stage on, h-swish.

    Squeeze-and-excitation is in the deep half.
    """
    choices = dict.fromkeys(slots.SLOT_NAMES, 0) | {
        "size": slots.SIZES.index(size),
        "stem": slots.STEM_WIDTHS.index(design.stem),
        "context": slots.CONTEXTS.index(design.context),
        "decoder.kind": slots.DECODER_KINDS.index(design.decoder),
        "decoder.width": slots.DECODER_WIDTHS.index(design.decoder_width),
        "upsampling": slots.UPSAMPLINGS.index(design.upsampling),
        **{f"skip.{source}": 1 for source in slots.SKIPS},
    }
    for stage, depth in zip(slots.STAGES, design.depths, strict=True):
        choices[f"stage{stage}.depth"] = depth
        choices[f"stage{stage}.width"] = design.widths[stage - 1]
        choices[f"stage{stage}.stride"] = slots.STRIDES.index(1 if stage == 1 else 2)
        token = slots.KERNEL_EXPANSIONS.index((design.kernel, 1 if stage == 1 else design.expansion))
        for block in range(1, depth + 1):
            names = slots.BLOCK_SLOTS[stage, block]
            values = (token, int(stage >= 3), slots.ACTIVATIONS.index("hswish"))
            choices.update(zip(names, values, strict=True))
    return portrait_architecture(choices)
