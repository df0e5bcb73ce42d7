"""Kernel, width and depth of a block in one token."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from search.spaces.portrait.space import PortraitSpace


def test_every_net_of_the_space_has_tokens_of_its_own(benchmark_of: Callable[[str], Any]) -> None:
    plain = PortraitSpace(sizes=((128, 128),))
    space = benchmark_of("joint_tokens").JointTokens(plain)
    samples = plain.sample(60, Random(1))
    joint = [space.joint(each) for each in samples]
    assert [space.plain(each) for each in joint] == samples
    assert [space.nearest(dict(each.choices)) for each in joint] == joint
    assert {tuple(name for name, _ in each.choices) for each in joint} == {tuple(slot.name for slot in space.slots)}


def test_a_stage_ends_before_the_first_block_that_is_absent(benchmark_of: Callable[[str], Any]) -> None:
    module = benchmark_of("joint_tokens")
    space = module.JointTokens(PortraitSpace(sizes=((128, 128),)))
    choices = dict.fromkeys((slot.name for slot in space.slots), 0)
    choices |= {"stage1.block1": module.ABSENT, "stage1.block3": module.ABSENT + 3, "stage2.block2": module.ABSENT}
    net = space.plain(space.nearest(choices))
    assert (net["stage1.depth"], net["stage2.depth"]) == (1, 0)
