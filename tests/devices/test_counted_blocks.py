"""Blocks of busy moments, told by the reference net, do not count."""

from __future__ import annotations

from math import inf

import pytest

from devices.counted_blocks import counted_blocks
from devices.measurement import Block

BLOCKS = [Block(1, 10.0 + place, ms) for place, ms in enumerate((1.0, 1.01, 1.3, 1.04, 1.02, 1.06))]


@pytest.mark.parametrize(
    ("percent", "left_out"), [(5.0, {2}), (2.0, {2, 3, 5}), (inf, set()), (0.0, {2, 3, 4, 5}), (-30.0, {2, 3, 4, 5})]
)
def test_blocks_beside_a_slow_reference_net_are_left_out(percent: float, left_out: set[int]) -> None:
    expected = [block for place, block in enumerate(BLOCKS) if place not in left_out]
    assert counted_blocks(BLOCKS, percent) == expected


def test_some_block_always_counts() -> None:
    assert counted_blocks(BLOCKS[2:3], 0.0) == BLOCKS[2:3]
    assert counted_blocks([], 5.0) == []
