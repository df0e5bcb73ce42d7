"""An operator between its neighbours is a model that runs, and only what lies between others has one."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from latency.campaign_items import operator_items
from latency.operators import builders
from latency.operators.from_onnx import from_onnx
from latency.operators.neighbourhood import inner, neighbourhood
from latency.operators.operator import OperatorGraph
from latency.operators.synthesize import to_model
from tests.latency.graphs import small_net

NET = small_net()
GATE, RESIDUAL = 4, 5


@pytest.mark.parametrize("position", range(1, 9))
def test_the_operator_and_what_it_reads_and_what_reads_it(position: int) -> None:
    around = neighbourhood(NET, position)
    assert around is not None
    producers = [NET.operators[source] for source in NET.inputs[position]]
    reader = next(consumer for producer, consumer in NET.edges if producer == position)
    assert set(around.operators) == {*producers, NET.operators[position], NET.operators[reader]}
    assert NET.operators[position] in {around.operators[place] for place in inner(around)}
    made = to_model(around)
    session = onnxruntime.InferenceSession(made.SerializeToString())
    random = np.random.default_rng(0)
    session.run(None, {one.name: random.standard_normal(one.shape).astype(np.float32) for one in session.get_inputs()})
    assert from_onnx(made) == around


def test_both_sides_of_a_product() -> None:
    around = neighbourhood(NET, GATE)
    assert around is not None
    kinds = [operator.kind for operator in around.operators]
    assert kinds == ["Conv", "Conv", "Mul", "Add"]
    assert around.inputs == ((-1,), (-2,), (0, 1), (2, -3))
    assert around.input_shapes == ((1, 8, 16, 16), (1, 8, 1, 1), (1, 8, 16, 16))
    assert inner(around) == {2}


def test_the_ends_of_a_net_have_none() -> None:
    assert neighbourhood(NET, 0) is None
    assert neighbourhood(NET, len(NET.operators) - 1) is None


def test_a_net_that_is_no_larger_has_none() -> None:
    shape = (1, 8, 16, 16)
    three = OperatorGraph((builders.convolution(shape, 8),) * 3, ((-1,), (0,), (1,)), (shape,))
    four = OperatorGraph((builders.convolution(shape, 8),) * 4, ((-1,), (0,), (1,), (2,)), (shape,))
    assert neighbourhood(three, 1) is None
    assert neighbourhood(four, 1) == three


def test_every_operator_alone_and_each_between_others_once() -> None:
    items = operator_items([NET, NET])
    alone = [item.graph for item in items if len(item.graph.operators) == 1]
    between = [item.graph for item in items if len(item.graph.operators) > 1]
    assert {graph.operators[0] for graph in alone} == set(NET.operators)
    assert len(alone) == len(set(NET.operators))
    assert len(between) == len({NET.operators[position] for position in range(1, 9)})
    assert {item.source for item in items} == {"operator"}


def test_neighbours_that_cannot_be_written_are_left_out() -> None:
    odd = builders.operator("plugin.Unknown", (), ((1, 8, 16, 16),), ((1, 8, 16, 16),))
    shape = (1, 8, 16, 16)
    conv, relu = builders.convolution(shape, 8), builders.activation("Relu", shape)
    graph = OperatorGraph((odd, conv, relu, conv), ((-1,), (0,), (1,), (2,)), (shape,))
    between = [item.graph for item in operator_items([graph]) if len(item.graph.operators) > 1]
    assert [[operator.kind for operator in each.operators] for each in between] == [["Conv", "Relu", "Conv"]]
