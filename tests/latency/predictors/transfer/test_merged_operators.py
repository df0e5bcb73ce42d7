from __future__ import annotations

import numpy as np
import pytest

from latency.operators import builders
from latency.operators.operator import OperatorGraph
from latency.predictors.encoding.operator_table import OperatorTable
from latency.predictors.encoding.relations import PREDECESSOR, SAME
from latency.predictors.transfer.merged_batch import MergedVocabulary
from latency.predictors.transfer.merged_operators import LIMIT, merged
from latseg.testing.synthetic import random_graph, random_graphs

SHAPE = (1, 8, 16, 16)


def chain(length: int) -> OperatorGraph:
    """Convolutions of 1 and 3 by turns."""
    operators = tuple(
        builders.convolution(SHAPE, 8, kernel=(side, side), strides=(1, 1)) for side in [1, 3] * (length // 2)
    )
    return OperatorGraph(operators, tuple((position - 1,) for position in range(length)), (SHAPE,))


def test_repetitions_are_one_class() -> None:
    net = merged(chain(40), OperatorTable())
    assert len(net.keys) == 2
    assert net.sizes[:, 0].tolist() == [20, 20]
    assert net.relations[0, 1, PREDECESSOR] == pytest.approx(19 / 20)
    assert net.relations[0, 0, SAME] == 1


@pytest.mark.parametrize("depth", [1, 8, 40])
def test_sums_are_those_of_the_net_and_classes_are_few(depth: int) -> None:
    from random import Random

    graph = random_graph(Random(depth), depth)
    net = merged(graph, OperatorTable())
    assert len(net.keys) <= LIMIT
    assert net.sizes[:, 0].sum() == len(graph.operators)
    assert net.sizes[:, 1].sum() == pytest.approx(graph.flops)
    assert np.all(net.relations >= 0)
    assert np.all(net.relations <= 1)


def test_operators_that_no_output_needs_are_a_class_of_their_own() -> None:
    graph = chain(4)
    dead = OperatorGraph(graph.operators, graph.inputs, graph.input_shapes, outputs=(2,))
    net = merged(dead, OperatorTable())
    assert sorted(net.liveness[:, 1].tolist()) == [0, *[1] * (len(net.keys) - 1)]


def test_unknown_keys_leave_no_trace() -> None:
    table = OperatorTable()
    vocabulary = MergedVocabulary.learn([merged(graph, table) for graph in random_graphs(6, 0)])
    again = MergedVocabulary.from_json(vocabulary.to_json())
    batch = again.encode([merged(chain(6), table)])
    assert np.isfinite(batch.totals).all()
    assert np.isfinite(batch.features).all()
    assert batch.features.shape[2] == vocabulary.width
