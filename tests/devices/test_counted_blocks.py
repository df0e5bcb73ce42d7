"""Blocks of busy moments, told by the reference net, do not count."""

from __future__ import annotations

from math import inf

import pytest

from devices.counted_blocks import counted_blocks, median_ratio, plain_ms
from devices.measurement import Block

BLOCKS = [Block(1, 10.0 + place, ms) for place, ms in enumerate((1.0, 1.01, 1.3, 1.04, 1.02, 1.06))]


@pytest.mark.parametrize(
    ("percent", "left_out"), [(5.0, {2}), (2.0, {2, 3, 5}), (inf, set()), (0.0, {2, 3, 5}), (-30.0, {2, 3, 5})]
)
def test_blocks_beside_a_slow_reference_net_are_left_out(percent: float, left_out: set[int]) -> None:
    expected = [block for place, block in enumerate(BLOCKS) if place not in left_out]
    assert counted_blocks(BLOCKS, percent) == expected


def test_three_blocks_always_count() -> None:
    slow = [Block(1, 10.0 + place, ms) for place, ms in enumerate((1.5, 1.0, 1.6, 1.15))]
    assert counted_blocks(slow, 5.0) == [slow[0], slow[1], slow[3]]
    assert counted_blocks(slow[:2], 5.0) == slow[:2]
    assert counted_blocks([], 5.0) == []


def test_both_medians_are_of_the_counted_blocks() -> None:
    blocks = [Block(1, 2.0, 1.0), Block(1, 9.0, 3.0), Block(1, 3.0, 1.0), Block(1, 4.0, 1.0)]
    assert plain_ms(blocks, 5.0) == 3.0
    assert median_ratio(blocks, 5.0) == 3.0
    assert plain_ms(blocks, inf) == 3.5
    assert median_ratio(blocks, inf) == 3.0
