"""Selects the blocks of a measurement that count: those that were measured while the machine was quiet.

Other load slows the reference net. Dividing by its time does not correct this, since load slows nets by different
factors, those with large tensors most.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import numpy as np

from devices.measurement import Block

_QUICKEST_PERCENT = 25
_MIN_BLOCKS = 3
"""An interval needs so many."""


def counted_blocks(blocks: Sequence[Block], quiet_percent: float) -> list[Block]:
    """The blocks beside which the reference net was at most ``quiet_percent`` slower than in the quickest quarter.

    In their order, and at least the three with the fastest reference net. Infinity takes all.
    """
    if not blocks:
        return []
    reference_ms = sorted(block.reference_ms for block in blocks)
    quickest_ms = float(np.percentile(reference_ms, _QUICKEST_PERCENT))
    limit_ms = max(quickest_ms * (1 + quiet_percent / 100), reference_ms[:_MIN_BLOCKS][-1])
    return [block for block in blocks if block.reference_ms <= limit_ms]


def plain_ms(blocks: Sequence[Block], quiet_percent: float) -> float:
    """Median time of the candidate in milliseconds over the counted blocks, not normalised."""
    return median(block.candidate_ms for block in counted_blocks(blocks, quiet_percent))


def median_ratio(blocks: Sequence[Block], quiet_percent: float) -> float:
    """Median of candidate / reference over the counted blocks."""
    return median(block.candidate_ms / block.reference_ms for block in counted_blocks(blocks, quiet_percent))
