"""How different the trials of a sliding window are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from search.analysis.search_log import Choices, Matrix, SearchLog, Vector
from search.analysis.windows import WINDOW


@dataclass(frozen=True, slots=True)
class Diversity:
    """Of ``m`` windows of ``WINDOW`` trials, each one trial further than the one before."""

    numbers: Choices
    """``m``: number of the last trial of each window."""
    slots: tuple[str, ...]
    """The slots of which the log has more than one choice."""
    entropy_bits: Matrix
    """``slots x m``: entropy of the choices of each slot."""
    distance: Vector
    """``m``: mean edit distance of two trials, the number of slots in which they differ."""


def diversity_of(log: SearchLog) -> Diversity | None:
    """Diversity over the log; None where it has fewer than two windows, or no slot with two choices."""
    varying = [slot for slot in range(len(log.slots)) if len(np.unique(log.choices[:, slot])) > 1]
    if len(log) < 2 * WINDOW or not varying:
        return None
    counts = [_counts(log.choices[:, slot]) for slot in varying]
    pairs = WINDOW * (WINDOW - 1)
    distance = sum((1 - (each * (each - 1)).sum(axis=1) / pairs for each in counts), np.zeros(1))
    return Diversity(
        numbers=log.numbers[WINDOW - 1 :],
        slots=tuple(log.slots[slot] for slot in varying),
        entropy_bits=np.array([_entropy_bits(each / WINDOW) for each in counts]),
        distance=distance,
    )


def rows(found: Diversity) -> Iterator[tuple[int, float, float]]:
    """Of each window the number of its last trial, the edit distance and the mean entropy over the slots."""
    for number, distance, bits in zip(found.numbers, found.distance, found.entropy_bits.mean(axis=0), strict=True):
        yield int(number), float(distance), float(bits)


def _counts(choices: Choices) -> Matrix:
    """``m x choices``: how often each choice occurs in each window."""
    values, codes = np.unique(choices, return_inverse=True)
    sums = np.zeros((len(choices) + 1, len(values)))
    sums[1:] = np.cumsum(np.eye(len(values))[codes], axis=0)
    return np.asarray(sums[WINDOW:] - sums[:-WINDOW])


def _entropy_bits(shares: Matrix) -> Vector:
    logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    return np.asarray(0.0 - (shares * logs).sum(axis=1))
