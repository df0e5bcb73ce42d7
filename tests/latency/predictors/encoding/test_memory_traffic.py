import numpy as np
import pytest

from latency.operators.operator import Operator, OperatorGraph
from latency.predictors.encoding.edges import Edges
from latency.predictors.encoding.memory_traffic import TRAFFIC, memory_traffic

SHAPE = (1, 1, 1, 1)


def graph(inputs: tuple[tuple[int, ...], ...], read: tuple[int, ...], written: tuple[int, ...]) -> OperatorGraph:
    operators = tuple(
        Operator("Conv", (), (SHAPE,) * len(sources), (SHAPE,), 0, 0, read[i], written[i])
        for i, sources in enumerate(inputs)
    )
    return OperatorGraph(operators, inputs, (SHAPE,))


def traffic_of(one: OperatorGraph) -> np.ndarray:
    return memory_traffic([one], Edges.of([one.inputs]), len(one.operators))[0]


def in_bytes(columns: np.ndarray) -> np.ndarray:
    return np.expm1(columns * 2.0 + 14.0)


def test_reuse_distance_counts_what_was_touched_since() -> None:
    # 0 -> 1 -> 2, and 2 reads 0's output, too
    chain = graph(((-1,), (0,), (1, 0)), read=(100, 200, 500), written=(1000, 2000, 3000))
    found = in_bytes(traffic_of(chain))
    assert found.shape == (3, TRAFFIC)
    assert found[:, 0] == pytest.approx([0, 1000, 1000 + 2200], abs=1)


def test_columns_of_the_whole_net_are_the_same_for_every_operator() -> None:
    chain = graph(((-1,), (0,), (1,)), read=(100, 4000, 500), written=(1000, 2000, 3000))
    found = in_bytes(traffic_of(chain))
    for row in found:
        assert row[1:] == pytest.approx([3000, 6000, 10600], rel=1e-3)


def test_many_graphs_at_once() -> None:
    short = graph(((-1,),), read=(10,), written=(20,))
    chain = graph(((-1,), (0,), (1, 0)), read=(100, 200, 500), written=(1000, 2000, 3000))
    found = memory_traffic([short, chain], Edges.of([short.inputs, chain.inputs]), 3)
    assert found.shape == (2, 3, TRAFFIC)
    assert np.array_equal(found[0, :1], traffic_of(short))
    assert np.array_equal(found[1], traffic_of(chain))
