"""An operator among its neighbours is a model that runs, and every operator that lies between others is in one."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from latency.campaign_items import operator_items
from latency.operators import builders
from latency.operators.from_onnx import from_onnx
from latency.operators.neighbourhood import inner, neighbourhood
from latency.operators.operator import Operator, OperatorGraph
from latency.operators.synthesize import to_model
from tests.latency.graphs import small_net

NET = small_net()
BETWEEN = range(1, 9)
GATE = 4
SHAPE = (1, 8, 16, 16)
CONV, RELU = builders.convolution(SHAPE, 8, kernel=(3, 3)), builders.activation("Relu", SHAPE)


def chain(*operators: Operator) -> OperatorGraph:
    return OperatorGraph(operators, tuple((place - 1,) for place in range(len(operators))), (SHAPE,))


@pytest.mark.parametrize("position", BETWEEN)
def test_the_operator_has_all_it_reads_and_a_reader(position: int) -> None:
    around = neighbourhood(NET, position)
    assert around is not None
    assert NET.operators[position] in {around.operators[place] for place in inner(around)}
    assert {NET.operators[source] for source in NET.inputs[position]} <= set(around.operators)
    made = to_model(around)
    session = onnxruntime.InferenceSession(made.SerializeToString())
    random = np.random.default_rng(0)
    session.run(None, {one.name: random.standard_normal(one.shape).astype(np.float32) for one in session.get_inputs()})
    assert from_onnx(made) == around


def test_it_reaches_to_the_next_convolutions() -> None:
    around = neighbourhood(NET, GATE)
    assert around is not None
    assert [operator.kind for operator in around.operators] == ["Conv", "Conv", "Mul", "Add", "Conv"]
    assert around.inputs == ((-1,), (-2,), (0, 1), (2, -3), (3,))
    assert around.input_shapes == (SHAPE, (1, 8, 1, 1), SHAPE)
    assert inner(around) == {2}


def test_a_concatenation_hides_no_convolution() -> None:
    pool = builders.operator("MaxPool", (("kernel_shape", (1, 1)),), ((1, 16, 16, 16),), ((1, 16, 16, 16),))
    last = builders.convolution((1, 16, 16, 16), 8, kernel=(3, 3))
    operators = (CONV, CONV, CONV, builders.concat([SHAPE, SHAPE]), pool, last)
    graph = OperatorGraph(operators, ((-1,), (0,), (0,), (1, 2), (3,), (4,)), (SHAPE,))
    around = neighbourhood(graph, 4)
    assert around is not None
    assert around.operators == operators[1:]


def test_a_neighbourhood_is_no_longer_than_its_limit() -> None:
    around = neighbourhood(chain(CONV, *[RELU] * 60, CONV), 30)
    assert around is not None
    assert len(around.operators) == 25


def test_one_that_is_too_large_is_none() -> None:
    wide = builders.concat([SHAPE] * 40)
    last = builders.convolution((1, 320, 16, 16), 8, kernel=(3, 3))
    inputs = ((-1,), *((0,) for _ in range(40)), tuple(range(1, 41)), (41,))
    assert neighbourhood(OperatorGraph((CONV, *[CONV] * 40, wide, last), inputs, (SHAPE,)), 41) is None
    heavy = builders.operator("MatMul", (), ((1, 8),), ((1, 8),), parameters=2**27)
    graph = OperatorGraph((heavy,) * 4, ((-1,), (0,), (1,), (2,)), ((1, 8),))
    assert neighbourhood(graph, 1) is None


def test_the_ends_of_a_net_have_none() -> None:
    assert neighbourhood(NET, 0) is None
    assert neighbourhood(NET, len(NET.operators) - 1) is None


def test_a_net_that_is_no_larger_has_none() -> None:
    assert neighbourhood(chain(CONV, CONV, CONV), 1) is None
    assert neighbourhood(chain(CONV, CONV, CONV, CONV), 1) == chain(CONV, CONV, CONV)


def test_every_operator_alone_and_those_between_others_in_few_models() -> None:
    items = operator_items([NET, NET])
    alone = [item.graph for item in items if len(item.graph.operators) == 1]
    among = [item.graph for item in items if len(item.graph.operators) > 1]
    assert {graph.operators[0] for graph in alone} == set(NET.operators)
    assert len(alone) == len(set(NET.operators))
    within = {graph.operators[place] for graph in among for place in inner(graph)}
    assert within >= {NET.operators[position] for position in BETWEEN}
    assert len(among) < len(BETWEEN)
    assert {item.source for item in items} == {"operator"}


def test_neighbours_that_cannot_be_written_are_left_out() -> None:
    odd = builders.operator("plugin.Unknown", (), (SHAPE,), (SHAPE,))
    items = operator_items([chain(odd, CONV, RELU, CONV, RELU, CONV)])
    among = [item.graph for item in items if len(item.graph.operators) > 1]
    assert among == [chain(CONV, RELU, CONV), chain(CONV, RELU, CONV, RELU, CONV)]
