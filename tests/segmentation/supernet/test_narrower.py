"""Weights of a supernet of fewer nets."""

from __future__ import annotations

from random import Random

import pytest
import torch

from search.spaces.portrait.space import PortraitSpace
from segmentation.networks.plan import Plan
from segmentation.supernet.narrower import narrowed, take_narrower
from segmentation.supernet.supernet import Supernet

SPACE = PortraitSpace(sizes=((128, 128),))
SMALL = [SPACE.plan(net) for net in SPACE.sample(60, Random(0)) if SPACE.parameters(net) < 60_000]


def supernet(seed: int, classes: int = 2) -> Supernet:
    """With weights of its own everywhere."""
    torch.manual_seed(seed)
    made = Supernet(classes)
    with torch.no_grad():
        for value in made.parameters():
            value.normal_()
    return made


@pytest.mark.parametrize("plan", SMALL[:6])
def test_a_net_has_the_same_weights_on_the_way_through_a_narrower_supernet(plan: Plan) -> None:
    source, other = supernet(1), supernet(2)
    narrow = narrowed(source, SMALL)
    assert sum(value.numel() for value in narrow.parameters()) < sum(value.numel() for value in source.parameters()) / 2
    assert take_narrower(other, narrow.state_dict(), classes=2) == len(narrow.state_dict())
    expected = source.extract(plan).state_dict()
    for between in (narrow, other):
        torch.testing.assert_close(between.extract(plan).state_dict(), expected)


def test_what_a_narrower_one_does_not_have_stays() -> None:
    other, before = supernet(2), supernet(2)
    take_narrower(other, narrowed(supernet(1), SMALL[:1]).state_dict(), classes=2)
    largest = max(before.shared, key=lambda name: before.shared[name].numel())
    changed = (other.shared[largest] != before.shared[largest]).sum()
    assert changed < before.shared[largest].numel() / 2


def test_heads_of_other_classes_stay() -> None:
    other, before = supernet(2, classes=5), supernet(2, classes=5)
    take_narrower(other, supernet(1).state_dict(), classes=2)
    for name, value in other.shared.items():
        assert torch.equal(value, before.shared[name]) is name.startswith("head/")


def test_weights_of_a_wider_one_are_left_out() -> None:
    narrow = narrowed(supernet(2), SMALL[:1])
    taken = take_narrower(narrow, supernet(1).state_dict(), classes=2)
    assert 0 < taken < len(narrow.state_dict())
