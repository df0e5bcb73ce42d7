"""Drawn graphs have the sizes that were asked for."""

from __future__ import annotations

import numpy as np
import pytest

from foundation.errors import UserError
from graphs.data.block_model import BlockModelSource
from graphs.data.graph import Graph
from graphs.data.registry import open_graph
from graphs.graph_size import GraphSize
from latseg.testing.graph_contract import GraphContract
from tests.graphs.small_graph import GRAPH, SIZES, small_graph


class TestBlockModel(GraphContract):
    def source(self) -> type[BlockModelSource]:
        return BlockModelSource

    def text(self) -> str:
        return GRAPH.partition(":")[2]


@pytest.mark.parametrize("seed", range(3))
def test_sizes_are_exact(seed: int) -> None:
    graph = open_graph(GRAPH, seed=seed)
    assert graph.size == GraphSize(**SIZES)
    assert graph.classes == 3


def test_the_default_has_the_sizes_of_cora() -> None:
    assert open_graph("block-model").size == GraphSize(2708, 5278, 168, 1433)


def share_within(graph: Graph) -> float:
    first, second = graph.labels[graph.edges].T
    return float((first == second).mean())


def test_edges_join_one_class_as_often_as_was_asked() -> None:
    sizes = "nodes=400,edges=900,degree=20,features=30,classes=4"
    assert share_within(open_graph(f"block-model:{sizes},within=0.9")) == pytest.approx(0.9, abs=0.03)
    assert share_within(open_graph(f"block-model:{sizes},within=0.3")) == pytest.approx(0.3, abs=0.05)


def test_words_say_the_class_as_often_as_was_asked() -> None:
    sizes = "nodes=400,edges=900,degree=20,features=40,classes=4,words=3"
    for topical, expected in (("1", 1.0), ("0", 0.25)):
        graph = open_graph(f"block-model:{sizes},topical={topical}")
        nodes, words = np.nonzero(graph.features)
        assert (words // 10 == graph.labels[nodes]).mean() == pytest.approx(expected, abs=0.04)
        assert np.bincount(nodes).max() <= 3


def test_another_seed_gives_another_graph() -> None:
    assert open_graph(GRAPH, seed=1).fingerprint != small_graph().fingerprint


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ("words=100000000000", "words"),
        ("nodes=60,classes=9,edges=90,degree=3", "classes of"),
        ("nodes=60,edges=900,degree=3,classes=3", "edges of"),
        ("nodes=60,edges=90,degree=60,classes=3", "degree of"),
        ("nodes=60,edges=90,degree=3,classes=3,features=9000000", "features of"),
        ("nodes=60,edges=120,degree=3,classes=3", "block-model: got 120 edges, degree 3"),
        ("nodes=sixty", "nodes"),
        ("colour=red", "colour"),
    ],
)
def test_what_cannot_be_drawn_is_refused(options: str, what: str) -> None:
    with pytest.raises(UserError, match=what):
        open_graph(f"block-model:{options}")


def test_no_such_graph() -> None:
    with pytest.raises(UserError, match="block-model, cora"):
        open_graph("citeseer")
