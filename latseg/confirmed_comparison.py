"""Whether one file is slower than another, compared again where a first comparison does not deny it."""

from __future__ import annotations

from collections.abc import Callable

from export.bundle.decision import further_rounds
from latseg.results import Comparison


def confirmed_comparison(compare: Callable[[int], Comparison], percent: float) -> Comparison:
    """The first comparison if it says that B does not take over ``percent`` longer, else the middle one of three more.

    A comparison is one process, whose intervals do not tell how much processes differ: a file of .05 ms was once called
    15 % slower than itself.

    Args:
        compare: compares once, with a seed that is made of this number.
        percent: by which B may be slower.
    """
    first = compare(0)
    if first.slower_by_over(percent) is False:
        return first
    further = next(further_rounds(compare))
    return sorted(further, key=lambda one: one.b.latency_ms / one.a.latency_ms)[len(further) // 2]
