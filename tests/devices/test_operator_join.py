from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.backends.ort.profile import profile_model
from devices.measurement import OperatorTime
from devices.operator_join import ExecutedNode, join_rows, scale_rows
from devices.tensor_graph import TensorGraph
from latseg.testing.graph_builder import GraphBuilder
from latseg.testing.nets import mobile_net, saved


def _kinds(rows: tuple[OperatorTime, ...]) -> dict[str, tuple[float, tuple[str, ...]]]:
    return {row.outputs[-1]: (row.ms, row.inputs) for row in rows}


def test_a_reorder_is_charged_to_its_consumers_in_equal_parts() -> None:
    nodes = [
        ExecutedNode("Conv", 1.0, ("image",), ("a",)),
        ExecutedNode("Reorder", 0.5, (0,)),
        ExecutedNode("Mul", 2.0, (1,), ("b",)),
        ExecutedNode("Add", 3.0, (1, 2), ("c",)),
    ]
    assert _kinds(join_rows(nodes)) == {"a": (1.0, ("image",)), "b": (2.25, ("a",)), "c": (3.25, ("a", "b"))}


def test_a_reorder_before_the_output_is_charged_to_its_producer() -> None:
    nodes = [
        ExecutedNode("Conv", 1.0, ("image",), ("a",)),
        ExecutedNode("Reorder", 0.5, (0,)),
        ExecutedNode("Reorder", 0.25, (1,)),
    ]
    assert _kinds(join_rows(nodes)) == {"a": (1.75, ("image",))}


def test_kernels_that_make_the_same_tensor_become_one_row() -> None:
    nodes = [
        ExecutedNode("Mul", 1.0, ("image",), ("a",)),
        ExecutedNode("Add", 2.0, (0,), ("a",)),
    ]
    (row,) = join_rows(nodes)
    assert (row.kernel, row.ms, row.inputs) == ("Mul+Add", 3.0, ("image",))


@given(st.data())
def test_no_time_is_lost(data: st.DataObject) -> None:
    nodes = [ExecutedNode("Conv", 1.0, ("image",), ("t0",))]
    for index in range(1, data.draw(st.integers(1, 12))):
        sources = tuple(data.draw(st.sets(st.integers(0, index - 1), min_size=1, max_size=3)))
        outputs = (f"t{index}",) if data.draw(st.booleans()) else ()
        nodes.append(ExecutedNode("Any", data.draw(st.floats(0, 5)), sources, outputs))
    assert sum(row.ms for row in join_rows(nodes)) == pytest.approx(sum(node.ms for node in nodes))


def test_scaled_rows_add_up() -> None:
    rows = (OperatorTime("Conv", ("a",), (), 1.0), OperatorTime("Add", ("b",), (), 3.0))
    assert [row.ms for row in scale_rows(rows, 8.0, 1.0)] == [2.0, 6.0]
    assert scale_rows((OperatorTime("Conv", ("a",), (), 0.0),), 8.0, 1.0) == ()


def test_own_times_go_by_the_speed_of_the_machine_alone() -> None:
    nodes = [
        ExecutedNode("Reorder", 3.0, ("image",)),
        ExecutedNode("Mul", 1.0, (0,), ("a",)),
        ExecutedNode("Add", 2.0, (1,), ("a",)),
    ]
    (row,) = scale_rows(join_rows(nodes), 60.0, 0.5)
    assert (row.ms, row.own_ms) == (60.0, 1.5)
    (unknown,) = scale_rows((OperatorTime("Conv", ("a",), (), 1.0),), 60.0, 0.5)
    assert unknown.own_ms is None


def _profile(model: onnx.ModelProto, folder: Path) -> tuple[OperatorTime, ...]:
    path = saved(model, folder / "net.onnx")
    (value,) = [each for each in model.graph.input if each.name == "image"]
    shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    feeds = {"image": np.random.default_rng(0).standard_normal(shape).astype(np.float32)}
    return profile_model(path, feeds, 1, 3).operators


def test_fused_kernels_give_their_last_tensor(tmp_path: Path) -> None:
    """Convolution + residual + activation is one kernel of the runtime; its row is the activation's tensor."""
    graph = TensorGraph(mobile_net().graph)
    rows = _profile(mobile_net(), tmp_path)
    ends = {row.outputs[0]: row for row in rows if row.kernel.endswith("Conv")}
    additions = [node for node in graph.nodes if node.op_type == "Add"]
    assert len(additions) == 3
    for addition in additions[:2]:
        assert set(ends[addition.output[0]].inputs) & set(addition.input)
    (activation,) = [node for node in graph.nodes if node.input[0] == additions[2].output[0]]
    assert activation.op_type == "Relu"
    assert ends[activation.output[0]].inputs == (additions[1].output[0],)


def _rename_nodes(model: onnx.ModelProto, name: Callable[[int], str]) -> onnx.ModelProto:
    for index, node in enumerate(model.graph.node):
        node.name = name(index)
    return model


@pytest.mark.parametrize("name", [lambda _: "", lambda _: "same", lambda index: f"relu_{index}_nchwc"])
def test_node_names_of_the_user_do_not_matter(tmp_path: Path, name: Callable[[int], str]) -> None:
    plain = [(row.outputs, row.inputs) for row in _profile(mobile_net(), tmp_path)]
    renamed = [(row.outputs, row.inputs) for row in _profile(_rename_nodes(mobile_net(), name), tmp_path)]
    assert renamed == plain


def test_batch_normalisation_and_relu6_and_split(tmp_path: Path) -> None:
    """Patterns of exporters: normalisation not folded, Clip with bounds as inputs, a node with two outputs."""
    net = GraphBuilder(seed=3)
    x = net.convolution("image", 3, 16, kernel=3)
    scale = [net.constant(np.full(16, value, np.float32)) for value in (1.5, 0.1, 0.2, 2.0)]
    x = net.node("BatchNormalization", [x, *scale])
    low, high = net.constant(np.array(0, np.float32)), net.constant(np.array(6, np.float32))
    x = net.node("Clip", [x, low, high])
    x = net.node("Identity", [x])
    x = net.node("Transpose", [x], perm=[0, 2, 3, 1])
    x = net.node("Sigmoid", [x])
    x = net.node("Transpose", [x], perm=[0, 3, 1, 2])
    x = net.node("Relu", [net.convolution(x, 16, 8)])
    x = net.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
    x = net.node("ReduceMean", [x], axes=[2, 3], keepdims=1)
    model = net.finish(net.convolution(x, 8, 2), (1, 3, 16, 16), (1, 2, 1, 1))
    rows = _profile(model, tmp_path)
    graph = TensorGraph(model.graph)
    assert {name for row in rows for name in row.outputs} <= set(graph.producers)
    assert rows[-1].outputs == ("logits",)
    convolutions = [row for row in rows if row.kernel.endswith("Conv")]
    assert len(convolutions) == 3
    assert graph.nodes[graph.producers[convolutions[0].outputs[0]]].op_type == "Clip"


def test_a_model_with_external_weights_is_profiled(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(mobile_net(), str(path), save_as_external_data=True, location="net.bin", size_threshold=0)
    feeds = {"image": np.zeros((1, 3, 64, 64), np.float32)}
    rows = profile_model(path, feeds, 1, 2).operators
    assert rows[-1].outputs == ("logits",)
