"""Slots with and without effect."""

from __future__ import annotations

from random import Random

import pytest

from search.architecture import Architecture
from search.spaces.portrait.space import PortraitSpace
from search.spaces.space import SearchSpace
from search.strategies.effective_slots import effective_slots
from tests.search.toy import CHOICES, ToySpace, canonical


def by_trying_everything(space: SearchSpace, architecture: Architecture) -> tuple[bool, ...]:
    choices = dict(architecture.choices)
    return tuple(
        any(space.nearest({**choices, slot.name: other}) != architecture for other in range(slot.choices))
        for slot in space.slots
    )


@pytest.mark.parametrize(
    "space",
    [ToySpace(), PortraitSpace(), PortraitSpace(sizes=[(256, 144)]), PortraitSpace(no_resize=True)],
    ids=["toy", "portrait", "one size", "no resize"],
)
def test_equals_trying_every_choice(space: SearchSpace) -> None:
    found = [(effective_slots(space, a), by_trying_everything(space, a)) for a in space.sample(6, Random(0))]
    assert all(quick == thorough for quick, thorough in found)
    assert any(not all(quick) for quick, _ in found)


def test_an_absent_stage_has_no_width_and_no_kernel() -> None:
    absent = canonical({**dict.fromkeys(CHOICES, 1), "depth1": 0})
    without = [
        name for name, effective in zip(CHOICES, effective_slots(ToySpace(), absent), strict=True) if not effective
    ]
    assert without == ["width1", "kernel1"]


def test_the_only_size_that_is_allowed_is_no_decision() -> None:
    space = PortraitSpace(sizes=[(256, 144)])
    assert not effective_slots(space, space.sample(1, Random(0))[0])[0]
    space = PortraitSpace(sizes=[(256, 144), (192, 192)])
    assert effective_slots(space, space.sample(1, Random(0))[0])[0]
