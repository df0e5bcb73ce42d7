"""Many classes as background and person."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from segmentation.losses import IGNORE

ClassTable = NDArray[np.uint8]
"""The new class of each of 256 values; ``IGNORE`` stays what it is."""


def person_table(numbers: Iterable[int]) -> ClassTable:
    """The classes ``numbers`` become the person (1), all others the background (0)."""
    table = np.zeros(256, np.uint8)
    table[list(numbers)] = 1
    table[IGNORE] = IGNORE
    return table
