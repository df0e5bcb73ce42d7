"""Which choices of the ``portrait`` space are the cheaper ones."""

from __future__ import annotations

from collections.abc import Mapping

from segmentation.portrait.slots import KERNEL_EXPANSIONS, STAGES


def cost_ranks(choices: Mapping[str, int]) -> dict[str, int]:
    """How far each slot is from its cheapest choice; all 0 at the bottom of the space."""
    ranks = dict(choices)
    for stage in STAGES:
        # A stride of 1 is the expensive choice, of a stage that is present.
        present = choices[f"stage{stage}.depth"] > 0
        ranks[f"stage{stage}.stride"] = int(present and choices[f"stage{stage}.stride"] == 0)
    return ranks


def cheaper_tokens(token: int) -> list[int]:
    """The block with the next smaller kernel, and the one with the next smaller expansion."""
    kernels = len({kernel for kernel, _ in KERNEL_EXPANSIONS})
    return ([token - 1] if token % kernels else []) + ([token - kernels] if token >= kernels else [])
