"""``from_onnx(to_model(graph)) == graph``, and the models run."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from onnx import numpy_helper

from foundation.errors import UserError
from latency.operators import builders
from latency.operators.from_onnx import from_onnx
from latency.operators.operator import OperatorGraph
from latency.operators.synthesize import single_operator, to_model, with_tensor_names
from tests.latency.graphs import random_graph, random_graphs, small_net


def run(model: onnx.ModelProto) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    return session.run(None, {i.name: rng.random(i.shape, dtype=np.float32) for i in session.get_inputs()})


@given(random_graphs())
@settings(max_examples=150)
def test_round_trip(graph: OperatorGraph) -> None:
    read = from_onnx(to_model(graph))
    for ours, theirs in zip(graph.operators, read.operators, strict=True):
        assert ours == theirs
    assert read == graph


@given(random_graphs())
@settings(max_examples=30)
def test_names_agree_with_the_file(graph: OperatorGraph) -> None:
    read = from_onnx(to_model(graph))
    for ours, theirs in zip(with_tensor_names(graph).operators, read.operators, strict=True):
        assert ours.tensors[-1] == theirs.tensors[-1]
        assert set(theirs.tensors) <= set(ours.tensors)


def test_single_operators_round_trip() -> None:
    for operator in random_graph(Random(1), 60).operators:
        graph = single_operator(operator)
        assert from_onnx(to_model(graph)) == graph


@pytest.mark.parametrize("seed", range(8))
def test_models_run_with_the_shapes_that_the_graph_says(seed: int) -> None:
    graph = random_graph(Random(seed), 10)
    outputs = run(to_model(graph))
    assert [output.shape for output in outputs] == [graph.operators[sink].output_shapes[0] for sink in graph.sinks]


def test_numbers_stay_in_a_normal_range_in_a_deep_net() -> None:
    shape = (1, 16, 16, 16)
    operator = builders.convolution(shape, 16, kernel=(3, 3), activation="relu")
    deep = OperatorGraph((operator,) * 60, tuple((i - 1,) for i in range(60)), (shape,))
    (output,) = run(to_model(deep))
    assert 1e-4 < output.std() < 1e4
    weights = [numpy_helper.to_array(tensor) for tensor in to_model(deep).graph.initializer]
    assert min(np.abs(array[array != 0]).min() for array in weights) > np.finfo(np.float32).tiny


def test_same_seed_same_weights() -> None:
    graph = small_net()
    assert to_model(graph, seed=3).SerializeToString() == to_model(graph, seed=3).SerializeToString()
    assert to_model(graph, seed=3).SerializeToString() != to_model(graph, seed=4).SerializeToString()


def test_old_runtimes_can_read_it() -> None:
    model = to_model(small_net())
    assert model.ir_version <= 10
    assert model.opset_import[0].version == 17


def test_order_of_inputs_is_kept() -> None:
    shapes = ((1, 2, 4, 4), (1, 3, 4, 4))
    graph = OperatorGraph((builders.concat(list(shapes)),), ((-2, -1),), (shapes[1], shapes[0]))
    assert from_onnx(to_model(graph)) == graph


def test_unknown_kind_is_an_error_of_the_user() -> None:
    graph = small_net()
    odd = replace(graph.operators[-1], kind="NoSuchOperator")
    with pytest.raises(UserError, match="NoSuchOperator"):
        to_model(replace(graph, operators=(*graph.operators[:-1], odd)))


@pytest.mark.parametrize(("shape", "axis"), [((5, 3, 4), 0), ((3, 5), 1)])
def test_rows_that_constant_indices_choose(shape: tuple[int, ...], axis: int) -> None:
    attributes = (("axis", axis), ("weight_1", (40,)))
    written = (*shape[:axis], 40, *shape[axis + 1 :])
    graph = single_operator(builders.operator("Gather", attributes, [shape], [written], parameters=40))
    model = to_model(graph)
    assert from_onnx(model) == graph
    (indices,) = [numpy_helper.to_array(weight) for weight in model.graph.initializer]
    assert set(indices.tolist()) == set(range(5))
    (output,) = run(model)
    assert output.shape == written
