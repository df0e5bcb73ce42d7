"""Sums and maxima by halving are those by index, whatever the numbers of neighbours."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs.graph_size import GraphSize
from graphs.networks.halving_tree import HalvingTree


@st.composite
def receivers_of(draw: st.DrawFn) -> tuple[np.ndarray, GraphSize]:
    """Receivers of messages, of which each node sends one to itself."""
    neighbours = draw(st.lists(st.integers(0, 20), min_size=2, max_size=12).filter(any))
    if sum(neighbours) % 2:
        neighbours[0] += 1
    receivers = np.repeat(np.arange(len(neighbours)), np.array(neighbours) + 1)
    return receivers, GraphSize(len(neighbours), sum(neighbours) // 2, max(neighbours), features=1)


@given(receivers_of())
@settings(max_examples=60, deadline=None)
def test_they_equal_those_by_index(drawn: tuple[np.ndarray, GraphSize]) -> None:
    receivers, size = drawn
    tree = HalvingTree(receivers, size)
    messages = torch.randn(size.messages, 3, generator=torch.Generator().manual_seed(0))
    index = torch.from_numpy(receivers)[:, None].expand(-1, 3)
    sums = torch.zeros(size.nodes, 3).scatter_add(0, index, messages)
    torch.testing.assert_close(tree.sum(messages * tree.halves), sums)
    largest = torch.full((size.nodes, 3), -torch.inf).scatter_reduce(0, index, messages, "amax")
    torch.testing.assert_close(tree.max(messages), largest, rtol=0, atol=0)


def test_halves_are_exact() -> None:
    tree = HalvingTree(np.repeat(np.arange(3), (1, 2, 7)), GraphSize(3, 4, 6, 1))
    assert set(torch.log2(tree.halves).flatten().tolist()) <= set(range(-3, 1))
    assert tree.halves[0] == 1 / 8, "a message that is alone is joined with itself three times"


@pytest.mark.parametrize(("degree", "steps"), [(1, 1), (3, 2), (4, 3), (168, 8)])
def test_steps_follow_from_the_largest_degree(degree: int, steps: int) -> None:
    levels = GraphSize(nodes=500, edges=1000, degree=degree, features=1).levels
    assert len(levels) == steps
    assert levels[-1] == 500
    assert levels == tuple(sorted(levels, reverse=True))
