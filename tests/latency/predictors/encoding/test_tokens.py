from __future__ import annotations

from dataclasses import replace

import numpy as np

from latency.operators.operator import OperatorGraph
from latency.predictors.encoding.edges import Edges
from latency.predictors.encoding.liveness import liveness
from latency.predictors.encoding.memory_traffic import TRAFFIC, memory_traffic
from latency.predictors.encoding.operator_table import OperatorTable
from latency.predictors.encoding.tokens import TokenBatch, token_batch
from latseg.testing.synthetic import random_graphs


def dead_end(graph: OperatorGraph) -> OperatorGraph:
    """Only the first operator is an output."""
    return replace(graph, outputs=(0,))


def batch(graphs: list[OperatorGraph]) -> TokenBatch:
    table = OperatorTable()
    return token_batch(graphs, [table.rows(graph) for graph in graphs])


def test_memory_traffic_and_liveness_are_among_the_inputs_of_a_token() -> None:
    graphs = [random_graphs(3, 5)[2], dead_end(random_graphs(3, 5)[2])]
    tokens, count = batch(graphs), len(graphs[0].operators)
    traffic = memory_traffic(graphs, Edges.of([graph.inputs for graph in graphs]), count)
    assert np.array_equal(tokens.places[:, :count, 3 : 3 + TRAFFIC], traffic)
    for places, graph in zip(tokens.places, graphs, strict=True):
        assert np.array_equal(places[:count, 3 + TRAFFIC :], liveness(graph))
    assert liveness(graphs[0]).all()
    assert not liveness(graphs[1]).all()


def test_padding_has_no_inputs() -> None:
    short, long = sorted(random_graphs(4, 5), key=lambda graph: len(graph.operators))[::3]
    tokens = batch([short, long])
    assert not tokens.places[0, len(short.operators) :].any()
    assert tokens.present.sum(axis=1).tolist() == [len(short.operators), len(long.operators)]
