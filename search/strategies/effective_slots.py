"""Which decisions of an architecture make a difference."""

from __future__ import annotations

from search.architecture import Architecture
from search.spaces.space import SearchSpace


def effective_slots(space: SearchSpace, architecture: Architecture) -> tuple[bool, ...]:
    """For each slot of the space, in order, whether another choice there names another architecture.

    A slot without effect, such as the kernel of a block that is absent, has the same choice in every such net. Who
    counted it as chosen would learn that the choice is a good one.
    """
    choices = dict(architecture.choices)

    def matters(slot: str, other: int) -> bool:
        return other != choices[slot] and space.nearest({**choices, slot: other}) != architecture

    # Of several choices that are allowed, one is nearest to the first choice or one to the last (``nearest``).
    return tuple(matters(slot.name, slot.choices - 1) or matters(slot.name, 0) for slot in space.slots)
