"""Consecutive windows of trials."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from search.analysis.search_log import SearchLog, Vector

WINDOW = 25
"""Trials of a window."""
MAX_WINDOWS = 100
"""Of a longer log, a window has a multiple of ``WINDOW`` trials, so that there are no more."""


def window_width(log: SearchLog) -> int:
    """Trials of each window of a log."""
    return WINDOW * max(1, ceil(len(log) / (WINDOW * MAX_WINDOWS)))


def windows(log: SearchLog) -> Iterator[tuple[int, int, Vector]]:
    """Numbers of the first and the last trial and the qualities of each window; the last one may be shorter."""
    width = window_width(log)
    for start in range(0, len(log), width):
        numbers = log.numbers[start : start + width]
        yield int(numbers[0]), int(numbers[-1]), log.quality[start : start + width]
