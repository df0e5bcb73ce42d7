"""How far the outputs of two runs are apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]
MOST_UNEQUAL = 0.01
"""Share of an output beyond which two runs do not compute the same: rounding decides between equal classes, and between
quantised steps."""
_TOLERANCE = 1e-3
"""Relative, and absolute in parts of the largest number, or of one: another layout adds in another order."""
_ZERO = 1e-7
"""Absolute, where all numbers are zero."""


@dataclass(frozen=True, slots=True)
class OutputComparison:
    """The outputs of one run beside those of another one with the same inputs."""

    max_abs: float
    """Largest difference of two finite numbers."""
    unequal: float
    """Largest share, over the outputs, of numbers that differ by more than rounding."""
    fault: str = ""
    """What no rounding does: the second run has another number of outputs, another shape, or NaN or infinity in other
    places. Words for "it computes ..."; empty where there is nothing of this."""


def compare_outputs(expected: Sequence[Array], answers: Sequence[Array]) -> OutputComparison:
    """Compares the outputs of two runs, each in the model's order."""
    if len(expected) != len(answers):
        return OutputComparison(0.0, 1.0, f"{len(answers)} outputs instead of {len(expected)}")
    pairs = list(zip(expected, answers, strict=True))
    for one, other in pairs:
        if fault := _fault(one, other):
            return OutputComparison(0.0, 1.0, fault)
    return OutputComparison(
        max((_difference(one, other) for one, other in pairs), default=0.0),
        max((_share_unequal(one, other) for one, other in pairs), default=0.0),
    )


def _fault(one: Array, other: Array) -> str:
    if one.shape != other.shape:
        sides, expected = ("x".join(map(str, array.shape)) or "scalar" for array in (other, one))
        return f"an output of the shape {sides} instead of {expected}"
    if {one.dtype.kind, other.dtype.kind} == {"f"} and not np.array_equal(np.isfinite(one), np.isfinite(other)):
        wanted, seen = _not_finite(one), _not_finite(other)
        return f"{seen} of {other.size} numbers of an output as NaN or infinity instead of {wanted}"
    return ""


def _not_finite(array: Array) -> int:
    return int(np.count_nonzero(~np.isfinite(array)))


def _share_unequal(one: Array, other: Array) -> float:
    if not one.size:
        return 0.0
    if one.dtype.kind != "f":
        return float(np.mean(one != other))
    largest = np.abs(one[np.isfinite(one)].astype(np.float64)).max(initial=0)
    absolute = _TOLERANCE * min(1.0, float(largest)) + _ZERO
    return float(1 - np.mean(np.isclose(one, other, rtol=_TOLERANCE, atol=absolute, equal_nan=True)))


def _difference(one: Array, other: Array) -> float:
    """Of the finite numbers."""
    if one.dtype.kind not in "fiub":
        return 0.0
    finite = np.isfinite(one) & np.isfinite(other)
    return float(np.abs(one[finite].astype(np.float64) - other[finite].astype(np.float64)).max(initial=0))
