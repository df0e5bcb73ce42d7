"""What still counts as the same network in another runtime.

Runtimes that were tried differ from torch by about 1e-7 in single precision and by 2e-3 with half-precision kernels;
the limit lies between them. Masks may differ where two classes are equal to the last digit.
"""

from __future__ import annotations

MAX_ABS_TOLERANCE = 1e-3
MASK_IOU_TOLERANCE = 0.99
