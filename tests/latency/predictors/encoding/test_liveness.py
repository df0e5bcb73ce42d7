import numpy as np

from latency.operators.operator import Operator, OperatorGraph
from latency.predictors.encoding.liveness import liveness

SHAPE = (1, 1, 1, 1)
INPUTS = ((-1,), (), (0, 1), (1,), (2,), (2, 3))
"""0 reads the input, 1 is a constant, 2 = 0 + 1, 3 reads 1 only, nothing reads 4, 5 = 2 + 3."""


def graph(inputs: tuple[tuple[int, ...], ...], outputs: tuple[int, ...] = ()) -> OperatorGraph:
    operators = tuple(Operator("Add", (), (SHAPE,) * len(sources), (SHAPE,), 0, 1, 4, 4) for sources in inputs)
    return OperatorGraph(operators, inputs, (SHAPE,), outputs)


def test_every_sink_is_an_output_unless_given() -> None:
    found = liveness(graph(INPUTS))
    assert found[:, 0].tolist() == [1, 0, 1, 0, 1, 1]
    assert found[:, 1].tolist() == [1, 1, 1, 1, 1, 1]


def test_dead_ends() -> None:
    assert liveness(graph(INPUTS, outputs=(5,)))[:, 1].tolist() == [1, 1, 1, 1, 0, 1]
    assert liveness(graph(INPUTS, outputs=(4,)))[:, 1].tolist() == [1, 1, 1, 0, 1, 0]


def test_no_operators() -> None:
    assert np.array_equal(liveness(graph(())), np.zeros((0, 2)))
