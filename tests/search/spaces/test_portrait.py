from __future__ import annotations

from collections import Counter
from itertools import product
from random import Random

import pytest

from foundation.errors import UserError
from latseg.testing.space_contract import PlanSpaceContract
from search.architecture import Architecture
from search.spaces.portrait import count as portrait_count
from search.spaces.portrait.space import MAX_TOTAL_DEPTH, PortraitSpace, cost_ranks, portrait_architecture
from segmentation.portrait.slots import CHOICES, SIZES, SLOT_NAMES, STAGES


class TestPortraitSpace(PlanSpaceContract):
    def make_space(self, classes: int = 2) -> PortraitSpace:
        return PortraitSpace(classes)


class TestPortraitSpaceOfTwoSizes(PlanSpaceContract):
    def make_space(self, classes: int = 2) -> PortraitSpace:
        return PortraitSpace(classes, sizes=((256, 144), (128, 128)))

    def test_all_nets_have_the_allowed_sizes(self) -> None:
        space = self.make_space()
        rng = Random(0)
        nets = space.sample(40, rng) + space.smallest()
        nets += [space.mutate(net, rng) for net in nets] + [other for net in nets[:10] for other in space.smaller(net)]
        assert {space.input_size(net) for net in nets} == {(256, 144), (128, 128)}

    def test_other_sizes_are_refused(self) -> None:
        (net,) = PortraitSpace(sizes=((192, 192),)).sample(1, Random(0))
        with pytest.raises(UserError, match="192x192"):
            self.make_space().validate(net)


def total_depth(architecture: Architecture) -> int:
    return sum(architecture[f"stage{stage}.depth"] for stage in STAGES)


def test_extent_of_the_space() -> None:
    space = PortraitSpace()
    assert space.size() > 10**12
    assert min(space.parameters(net) for net in space.smallest()) < 10_000
    largest = portrait_architecture({name: choices - 1 for name, choices in CHOICES.items()})
    assert space.parameters(largest) > 2_000_000


def test_total_depths_are_equally_frequent() -> None:
    nets = PortraitSpace().sample(3 * (MAX_TOTAL_DEPTH + 1), Random(0))
    assert Counter(map(total_depth, nets)) == dict.fromkeys(range(MAX_TOTAL_DEPTH + 1), 3)


def test_total_depth_is_spread_over_the_stages() -> None:
    nets = [net for net in PortraitSpace().sample(2100, Random(0)) if total_depth(net) == 10]
    means = [sum(net[f"stage{stage}.depth"] for net in nets) / len(nets) for stage in STAGES]
    assert all(1.5 < mean < 2.5 for mean in means)


@pytest.mark.parametrize("size", [(256, 144), (256, 256)])
def test_count_agrees_with_enumeration(size: tuple[int, int]) -> None:
    """Enumerates a corner of the space: every layout of strides and skips, all else at its cheapest."""
    cheapest = dict.fromkeys(SLOT_NAMES, 0) | {"size": SIZES.index(size)}
    free = [f"stage{stage}.{part}" for stage in STAGES for part in ("depth", "stride")]
    free += ["skip.stem", *(f"skip.stage{stage}" for stage in STAGES[:-1]), "fusion"]
    corner = {
        portrait_architecture(cheapest | dict(zip(free, choices, strict=True)))
        for choices in product((0, 1), repeat=len(free))
    }
    # The others are the other widths, blocks and so on, which the count multiplies by.
    assert len(corner) == _count_of_corner(size)


def _count_of_corner(size: tuple[int, int]) -> int:
    with pytest.MonkeyPatch.context() as patch:
        portrait_count._with_strided_stages.cache_clear()
        for name in ("STEM_WIDTHS", "CONTEXTS", "UPSAMPLINGS", "DECODER_KINDS", "DECODER_WIDTHS", "DECODER_BLOCKS"):
            patch.setattr(portrait_count.slots, name, (0,))
        patch.setattr(portrait_count.slots, "DILATIONS", (0,))
        patch.setattr(portrait_count.slots, "STAGE_WIDTHS", ((0,),) * len(STAGES))
        patch.setattr(portrait_count.slots, "KERNEL_EXPANSIONS", (0,))
        patch.setattr(portrait_count.slots, "ACTIVATIONS", (0,))
        patch.setattr(portrait_count, "_SQUEEZES", 1)
        patch.setattr(portrait_count.slots, "MAX_DEPTH", 1)
        count = portrait_count.number_of_architectures([size])
    portrait_count._with_strided_stages.cache_clear()
    return count


def test_every_move_to_a_smaller_net_is_cheaper_by_rank() -> None:
    space = PortraitSpace()
    for net in space.sample(20, Random(0)):
        rank = sum(cost_ranks(dict(net.choices)).values())
        assert all(sum(cost_ranks(dict(other.choices)).values()) < rank for other in space.smaller(net))


def test_single_move_changes_one_choice_that_has_an_effect() -> None:
    space = PortraitSpace()
    for net in space.sample(20, Random(0)):
        for other in space.smaller(net):
            changed = {name for name, choice in net.choices if other[name] != choice}
            groups = {name.split(".")[0] for name in changed}
            # A stage that disappears takes its own slots with it, and skips that are no longer finer than the end.
            assert len(groups - {"skip", "fusion"}) <= 1


def test_unknown_size_is_refused() -> None:
    with pytest.raises(UserError, match="100x100"):
        PortraitSpace(sizes=((100, 100),))
    with pytest.raises(UserError, match="none"):
        PortraitSpace(sizes=())
