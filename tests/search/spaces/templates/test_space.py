from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from foundation.errors import UserError
from latseg.testing.space_contract import check_lowering
from search.architecture import Architecture
from search.spaces.templates.choices import choices_of
from search.spaces.templates.space import TemplatesSpace
from segmentation.templates.genotype import Genotype, Layer, Template
from tests.search.spaces.genotype_space_contract import GenotypeSpaceContract

TEXT = (
    "[[[3, 0, 1], [4, 1, 1], [3, 1, 1]], [[0, 1, 0, 0, 1], [2, 1, 2, 1, 0], [3, 1, 1, 1, 0], "
    "[1, 1, 2, 0, 0], [3, 0, 2, 0, 0], [5, 3, 2, 1, 0], [0, 5, 0, 1, 0]]]"
)
CANONICAL = (
    "[[[3, 0, 1], [3, 1, 1], [4, 1, 1]], [[0, 1, 0, 0, 1], [2, 1, 1, 1, 0], [3, 1, 2, 1, 0], "
    "[3, 0, 1, 0, 0], [1, 1, 1, 0, 0], [0, 6, 0, 1, 0], [6, 3, 1, 1, 0]]]"
)
"""The same net."""


class TestTemplatesSpace(GenotypeSpaceContract):
    text = TEXT

    def make(self, classes: int = 2, **options: Any) -> TemplatesSpace:
        return TemplatesSpace(classes, **options)


SPACE = TemplatesSpace(encoder="small", sizes=((128, 128),))


def test_only_the_canonical_form_is_a_member() -> None:
    net = SPACE.parse(TEXT)
    assert SPACE.text(net) == CANONICAL
    exchanged = CANONICAL.replace("[3, 0, 1, 0, 0], [1, 1, 1, 0, 0]", "[1, 1, 1, 0, 0], [3, 0, 1, 0, 0]")
    exchanged = exchanged.replace("[0, 6, 0, 1, 0], [6, 3", "[0, 5, 0, 1, 0], [5, 3")
    with pytest.raises(UserError, match="its canonical form"):
        SPACE.validate(Architecture("templates", choices_of(0, Genotype.parse(exchanged))))
    assert SPACE.parse(exchanged) == net


def test_numbers_of_repeats_are_equally_frequent() -> None:
    found = SPACE.sample(44, Random(0))
    repeats = Counter(sum(choice for name, choice in net.choices if name.endswith(".repeats")) for net in found)
    assert repeats == dict.fromkeys(range(22), 2)


def test_smaller_nets_cost_less() -> None:
    space = TemplatesSpace(encoder="small", sizes=((128, 128), (160, 128)))
    for net in [space.parse(TEXT), *space.sample(12, Random(2))]:
        parameters, flops = space.parameters(net), space.lower(net).flops
        for other in space.smaller(net):
            assert (space.parameters(other), space.lower(other).flops) != (parameters, flops)
            assert space.parameters(other) <= parameters
            assert space.lower(other).flops <= flops


def test_a_layer_that_shrinks_loses_repeats_only_where_that_costs_less() -> None:
    def net(further: int) -> Architecture:
        layers = [Layer(0, 0, 0, further, 1), *(Layer(entry, entry, 1, 0, 0) for entry in range(2, 8))]
        return SPACE.of(0, Genotype((Template(3, 3, 0), Template(1, 1, 1), Template(5, 5, 0)), tuple(layers)))

    assert SPACE.lower(net(2)).flops > SPACE.lower(net(3)).flops
    assert net(2) not in SPACE.smaller(net(3))
    assert SPACE.smaller(net(3))


def chain_end(net: Architecture) -> Architecture:
    while others := SPACE.smaller(net):
        net = others[-1]
    return net


def test_nothing_of_many_nets_is_smaller_than_the_smallest() -> None:
    smallest = [(SPACE.parameters(net), SPACE.lower(net).flops) for net in SPACE.smallest()]
    for last in map(chain_end, SPACE.sample(60, Random(3))):
        assert SPACE.parameters(last) >= min(parameters for parameters, _ in smallest)
        assert SPACE.lower(last).flops >= min(flops for _, flops in smallest)


@pytest.mark.parametrize("text", [
    TEXT,
    "[[[2, 5, 0], [3, 3, 1], [5, 5, 0]], [[0, 1, 1, 3, 1], [2, 2, 0, 2, 1], [3, 0, 0, 1, 1], [4, 4, 1, 1, 0], "
    "[2, 5, 0, 0, 0], [3, 3, 0, 3, 0], [0, 0, 1, 0, 0]]]",
    # Two layers resize one feature to one size, and two repeat its channels.
    "[[[5, 0, 0], [5, 5, 0], [5, 2, 1]], [[1, 0, 1, 0, 1], [1, 0, 2, 0, 1], [0, 1, 0, 0, 0], [1, 0, 0, 0, 0], "
    "[1, 0, 1, 0, 0], [1, 0, 2, 0, 0], [1, 0, 0, 1, 0]]]",
])  # fmt: skip
def test_published_and_extreme_nets_are_lowered_as_they_are_exported(text: str, tmp_path: Path) -> None:
    check_lowering(SPACE, "synthetic:4", SPACE.parse(text), tmp_path)
