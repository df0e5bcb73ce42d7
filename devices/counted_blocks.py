"""Which blocks of a measurement count: those of moments in which the machine did little else.

The reference net tells them: beside other work it becomes slower. Dividing by its time does not suffice there, since
other work slows nets down by different factors, those with large tensors most.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from devices.measurement import Block

_QUICKEST_PERCENT = 25


def counted_blocks(blocks: Sequence[Block], quiet_percent: float) -> list[Block]:
    """The blocks beside which the reference net was slower by at most ``quiet_percent`` than in the quickest quarter.

    In their order; never none of some. Infinity takes all.
    """
    if not blocks:
        return []
    quickest_ms = float(np.percentile([block.reference_ms for block in blocks], _QUICKEST_PERCENT))
    limit_ms = quickest_ms * (1 + max(0.0, quiet_percent) / 100)
    return [block for block in blocks if block.reference_ms <= limit_ms]
