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
    counts = np.arange(WINDOW + 1)
    shares = counts / WINDOW
    surprise = -shares * np.log2(shares, out=np.zeros(WINDOW + 1), where=shares > 0)
    equal_pairs = counts * (counts - 1) / (WINDOW * (WINDOW - 1))
    alike = [_alike(log.choices[:, slot]) for slot in varying]
    return Diversity(
        numbers=log.numbers[WINDOW - 1 :],
        slots=tuple(log.slots[slot] for slot in varying),
        entropy_bits=np.maximum([_window_sums(surprise, *each) for each in alike], 0.0),
        distance=sum((1 - _window_sums(equal_pairs, *each) for each in alike), np.zeros(1)),
    )


def rows(found: Diversity) -> Iterator[tuple[int, float, float]]:
    """Of each window the number of its last trial, the edit distance and the mean entropy over the slots."""
    for number, distance, bits in zip(found.numbers, found.distance, found.entropy_bits.mean(axis=0), strict=True):
        yield int(number), float(distance), float(bits)


def _alike(choices: Choices) -> tuple[Choices, Choices]:
    """Of each trial, how many of the ``WINDOW - 1`` trials before it, and of those after it, have its choice."""
    before, after = np.zeros((2, len(choices)), np.int64)
    for step in range(1, WINDOW):
        equal = choices[step:] == choices[:-step]
        before[step:] += equal
        after[:-step] += equal
    return before, after


def _window_sums(of_count: Vector, before: Choices, after: Choices) -> Vector:
    """``m``: sum over the choices in each window of ``of_count[how often the choice occurs there]``.

    From window to window one trial enters, whose choice occurred ``before`` times in the rest, and one leaves. The
    memory is that of the trials, however many choices there are.
    """
    change = of_count[before + 1] - of_count[before]
    change[WINDOW:] -= (of_count[after + 1] - of_count[after])[:-WINDOW]
    return np.asarray(np.cumsum(change)[WINDOW - 1 :])
