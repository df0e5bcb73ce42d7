from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import onnx
import pytest

from foundation.errors import UserError
from latseg.testing.space_contract import check_lowering
from search.spaces.auxiliary_cells.space import AuxiliaryCellsSpace
from search.spaces.registry import open_space
from segmentation.auxiliary_cells.cell_graph import cell_graph
from segmentation.networks.network import Network
from tests.search.spaces.genotype_space_contract import GenotypeSpaceContract

TEXT = "[[4, [0, 1, 4, 4], [2, 4, 6, 0], [6, 4, 1, 3]], [[3, 3], [1, 0], [1, 3]]]"
WITHOUT_EFFECT = "[[1, [1, 0, 10, 4], [0, 0, 10, 10], [0, 0, 10, 10]], [[0, 1], [1, 2], [2, 2]]]"
"""The first operation has weights and no effect, and the last feature of the encoder is not read."""

CHAIN = "[[9, [0, 0, 5, 0], [2, 3, 1, 2], [5, 6, 3, 7]], [[0, 1], [1, 2], [2, 2]]]"
"""Zeros in the place of an operation leave others without effect."""


class TestAuxiliaryCellsSpace(GenotypeSpaceContract):
    text = WITHOUT_EFFECT

    def make(self, classes: int = 2, **options: Any) -> AuxiliaryCellsSpace:
        return AuxiliaryCellsSpace(classes, **options)

    def test_only_allowed_sizes_occur(self) -> None:
        space, rng = self.make_space(), Random(0)
        nets = space.sample(20, rng) + space.smallest()
        nets += [space.mutate(net, rng) for net in nets] + [other for net in nets[:10] for other in space.smaller(net)]
        assert {space.input_size(net) for net in nets} == {(128, 128), (160, 128)}
        (net,) = AuxiliaryCellsSpace(sizes=((192, 192),)).sample(1, Random(0))
        with pytest.raises(UserError, match="got size 192x192; expected 128x128, 160x128"):
            space.validate(net)


SPACE = AuxiliaryCellsSpace(encoder="small", sizes=((128, 128),))


def test_the_cells_have_the_channels_of_the_option() -> None:
    space = AuxiliaryCellsSpace(encoder="small", agg=16)
    layers = space.plan(space.parse(TEXT)).layers
    assert {layer.out_channels for layer in layers if ".node" in layer.name} == {0, 16}


@pytest.mark.parametrize(("text", "told"), [
    ("auxiliary-cells:encoder=huge", "expected one of full, small"),
    ("auxiliary-cells:agg=0", "agg"),
    ("auxiliary-cells:sizes=100x100", "got 100x100"),
])  # fmt: skip
def test_other_options_are_refused(text: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        open_space(text)


def test_a_canonical_genotype_is_written() -> None:
    text = SPACE.text(SPACE.parse(TEXT))
    assert text == "[[4, [0, 1, 4, 4], [2, 4, 6, 0], [4, 6, 3, 1]], [[0, 1], [1, 3], [3, 3]]]"


def test_only_the_canonical_form_is_a_member() -> None:
    net = SPACE.parse(TEXT)
    other = net.replaced({"connection1.input1": 1, "connection1.input2": 0})
    with pytest.raises(UserError, match="its canonical form"):
        SPACE.validate(other)
    assert SPACE.nearest(dict(other.choices)) == net


def test_a_cell_that_yields_zeros_is_refused_and_becomes_one_without_operations() -> None:
    zeros = f"[[10, {', '.join(['[0, 0, 10, 10]'] * 3)}], [[0, 0], [0, 0], [0, 0]]]"
    with pytest.raises(UserError, match="yields zeros"):
        SPACE.parse(zeros)
    nearest = SPACE.nearest({name: 10 if "operation" in name else 0 for name in dict(SPACE.parse(TEXT).choices)})
    assert cell_graph(SPACE.genotype(nearest).cell).output == (0,)


def test_numbers_of_operations_are_equally_frequent_and_all_have_effect() -> None:
    graphs = [cell_graph(SPACE.genotype(net).cell) for net in SPACE.sample(40, Random(0))]
    assert Counter(len(graph.operations) for graph in graphs) == dict.fromkeys(range(8), 5)
    assert {graph.unread for graph in graphs} == {()}


def test_a_search_drops_operations_without_effect() -> None:
    net, rng = SPACE.parse(WITHOUT_EFFECT), Random(0)
    assert cell_graph(SPACE.genotype(net).cell).unread == (1,)
    others = [SPACE.mutate(net, rng) for _ in range(20)] + [SPACE.crossover(net, net, rng)]
    others += [SPACE.nearest(dict(net.choices)), *SPACE.smaller(net), *SPACE.smaller(SPACE.parse(CHAIN))]
    assert {cell_graph(SPACE.genotype(other).cell).unread for other in others} == {()}


def test_smaller_nets_cost_less() -> None:
    space = AuxiliaryCellsSpace(encoder="small", sizes=((128, 128), (160, 128)))
    for net in [space.parse(TEXT), space.parse(WITHOUT_EFFECT), *space.sample(8, Random(2))]:
        cost = space.parameters(net), space.lower(net).flops
        others = space.smaller(net)
        assert others
        for other in others:
            assert (space.parameters(other), space.lower(other).flops) != cost
            assert space.parameters(other) <= cost[0]
            assert space.lower(other).flops <= cost[1]


def test_a_chain_of_smaller_nets_ends_without_operations() -> None:
    net, rng = SPACE.parse(TEXT), Random(0)
    while others := SPACE.smaller(net):
        net = rng.choice(others)
    assert not cell_graph(SPACE.genotype(net).cell).operations
    assert SPACE.parameters(net) == SPACE.parameters(SPACE.smallest()[0])


def test_weights_without_effect_are_in_the_module_and_not_in_the_file(tmp_path: Path) -> None:
    net = SPACE.parse(WITHOUT_EFFECT)
    check_lowering(SPACE, "synthetic:4", net, tmp_path)
    assert SPACE.plan(net).unread
    model = onnx.load(tmp_path / "net.onnx")
    written = sum(math.prod(tensor.dims) for tensor in model.graph.initializer)
    read = sum(math.prod(value.shape) for value in Network(SPACE.plan(net)).layers.parameters())
    assert written < read + 100 < SPACE.parameters(net)
