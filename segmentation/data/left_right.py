"""Classes that a mirror exchanges."""

from __future__ import annotations

from collections.abc import Sequence


def left_and_right(classes: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Pairs of classes that a mirror exchanges, by name: ``l_eye`` and ``r_eye``, ``left ear`` and ``right ear``."""
    numbers = {name: number for number, name in enumerate(classes)}
    swaps = []
    for name, number in numbers.items():
        for left, right in (("l_", "r_"), ("left", "right")):
            partner = right + name.removeprefix(left)
            if name.startswith(left) and partner in numbers:
                swaps.append((number, numbers[partner]))
    return tuple(swaps)
