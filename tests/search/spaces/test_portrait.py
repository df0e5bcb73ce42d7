from __future__ import annotations

from collections import Counter
from itertools import product
from pathlib import Path
from random import Random

import onnx
import pytest
import torch

from export.to_onnx import export_module
from foundation.errors import UserError
from latseg.testing.space_contract import PlanSpaceContract
from search.architecture import Architecture
from search.spaces.portrait import count as portrait_count
from search.spaces.portrait.cost import cost_ranks
from search.spaces.portrait.space import MAX_TOTAL_DEPTH, PortraitSpace, portrait_architecture
from segmentation.networks.network import Network
from segmentation.portrait.slots import CHOICES, SIZES, SLOT_NAMES, STAGES, UPSAMPLINGS
from segmentation.portrait.upsampling import WITHOUT_RESIZE


class TestPortraitSpace(PlanSpaceContract):
    def make_space(self, classes: int = 2) -> PortraitSpace:
        return PortraitSpace(classes)


class TestRestrictedPortraitSpace(PlanSpaceContract):
    def make_space(self, classes: int = 2) -> PortraitSpace:
        return PortraitSpace(classes, sizes=((256, 144), (128, 128)), no_resize=True)

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

    def test_no_net_has_a_resize_operator(self) -> None:
        space, rng = self.make_space(), Random(0)
        nets = [*space.sample(60, rng), *space.smallest()]
        nets += [space.mutate(net, rng) for net in nets] + [other for net in nets for other in space.smaller(net)]
        nets += [space.crossover(*rng.sample(nets, 2), rng) for _ in range(60)]
        assert {operator.kind for net in nets for operator in space.lower(net).operators} == {
            "Conv", "ConvTranspose", "DepthToSpace", "Add", "Mul", "Concat", "GlobalAveragePool"
        }  # fmt: skip

    def test_exported_nets_have_none(self, tmp_path: Path) -> None:
        space = self.make_space()
        found = set()
        for net, upsampling in zip(space.sample(2, Random(3)), WITHOUT_RESIZE, strict=True):
            module = Network(space.plan(net.replaced({"upsampling": UPSAMPLINGS.index(upsampling)})))
            path = export_module(module, tmp_path / "net.onnx", {"image": torch.zeros(1, 3, *space.input_size(net))})
            found |= {node.op_type for node in onnx.load(path).graph.node}
        assert {"ConvTranspose", "DepthToSpace"} <= found
        assert not found & {"Resize", "Upsample"}

    def test_nets_with_resize_are_refused(self) -> None:
        space = self.make_space()
        (net,) = space.sample(1, Random(0))
        with pytest.raises(UserError, match="got upsampling nearest; expected transposed, shuffle"):
            space.validate(net.replaced({"upsampling": UPSAMPLINGS.index("nearest")}))

    def test_size(self) -> None:
        assert 2 * self.make_space().size() == PortraitSpace(sizes=((256, 144), (128, 128))).size()


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


def test_count_of_dilations_agrees_with_enumeration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enumerates depth, stride and dilation of three stages, with all else at its cheapest."""
    stages, parts = (1, 2, 3), {"depth": 3, "stride": 2, "dilation": 2}
    cheapest = dict.fromkeys(SLOT_NAMES, 0) | {"size": SIZES.index((128, 128))}
    free = {f"stage{stage}.{part}": choices for stage in stages for part, choices in parts.items()}
    corner = {
        portrait_architecture(cheapest | dict(zip(free, choices, strict=True)))
        for choices in product(*map(range, free.values()))
    }
    for name, choices in ("FUSIONS", ()), ("STAGES", stages), ("STAGE_WIDTHS", ((0,),) * 3), ("MAX_DEPTH", 2):
        monkeypatch.setattr(portrait_count.slots, name, choices)
    for name in _MULTIPLIED:
        monkeypatch.setattr(portrait_count.slots, name, (0,))
    monkeypatch.setattr(portrait_count, "_SQUEEZES", 1)
    monkeypatch.setattr(portrait_count, "_with_strided_stages", portrait_count._with_strided_stages.__wrapped__)
    assert len(corner) == portrait_count.number_of_architectures([(128, 128)], upsamplings=1)


_MULTIPLIED = (
    "STEM_WIDTHS", "CONTEXTS", "DECODER_KINDS", "DECODER_WIDTHS", "DECODER_BLOCKS",
    "KERNEL_EXPANSIONS", "ACTIVATIONS",
)  # fmt: skip
"""Lists of choices that exist in every net or in every block."""


def _count_of_corner(size: tuple[int, int]) -> int:
    with pytest.MonkeyPatch.context() as patch:
        portrait_count._with_strided_stages.cache_clear()
        for name in _MULTIPLIED:
            patch.setattr(portrait_count.slots, name, (0,))
        patch.setattr(portrait_count.slots, "DILATIONS", (0,))
        patch.setattr(portrait_count.slots, "STAGE_WIDTHS", ((0,),) * len(STAGES))
        patch.setattr(portrait_count, "_SQUEEZES", 1)
        patch.setattr(portrait_count.slots, "MAX_DEPTH", 1)
        count = portrait_count.number_of_architectures([size], upsamplings=1)
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
