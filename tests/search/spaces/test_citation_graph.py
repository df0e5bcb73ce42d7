"""The space of graph neural networks keeps the contract of spaces."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from foundation.errors import UserError
from graphs.networks.design import LayerDesign
from latseg.testing.space_contract import SpaceContract
from search.spaces.citation_graph.space import CitationGraphSpace
from search.spaces.registry import open_space
from tests.graphs.small_graph import GRAPH, SIZES

PLAIN = {
    "layer1.attention": 2, "layer1.aggregation": 0, "layer1.heads": 3, "layer1.width": 1, "layer1.activation": 3,
    "layer2.attention": 2, "layer2.aggregation": 0, "layer2.heads": 0, "layer2.activation": 0,
}  # fmt: skip
"""The graph attention network."""


class TestCitationGraphSpace(SpaceContract):
    data = GRAPH

    def make_space(self, classes: int = 2) -> CitationGraphSpace:
        return CitationGraphSpace(classes, **SIZES)


def test_the_graph_attention_network_is_a_member() -> None:
    space = CitationGraphSpace(7)
    gat = space.nearest(PLAIN)
    first, second = LayerDesign("gat", "sum", 8, 8, "elu"), LayerDesign("gat", "sum", 1, 7, concatenated=False)
    assert space.designs(gat) == (first, second)
    assert space.parameters(gat) == 1433 * 64 + 2 * 64 + 64 + 64 * 7 + 2 * 7 + 7
    other = space.nearest({**PLAIN, "layer2.activation": 4})
    assert space.designs(other) == (first, replace(second, activation="tanh"))


def test_attention_that_is_not_learned_has_one_head() -> None:
    space = CitationGraphSpace(7)
    gcn = space.nearest({**PLAIN, "layer1.attention": 1})
    assert gcn["layer1.heads"] == 0
    with pytest.raises(UserError, match="architecture"):
        space.validate(gcn.replaced({"layer1.heads": 1}))


def test_its_size_is_the_number_of_its_members() -> None:
    space = CitationGraphSpace(7)
    free = ("layer1.width", "layer1.activation", "layer2.activation")
    choices = [range(1 if slot.name in free else slot.choices) for slot in space.slots]
    names = [slot.name for slot in space.slots]
    members = {space.nearest(dict(zip(names, each, strict=True))) for each in product(*choices)}
    assert space.size() == len(members) * 5 * 8 * 8 == 1_393_920


def test_its_options_are_the_sizes_of_the_graph() -> None:
    space = open_space("citation-graph:nodes=60,edges=140,degree=10,features=24")
    assert isinstance(space, CitationGraphSpace)
    assert space.graph == CitationGraphSpace(2, **SIZES).graph
    with pytest.raises(UserError, match="nodes, edges, degree, features"):
        open_space("citation-graph:colour=red")
