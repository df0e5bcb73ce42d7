"""Nodes of a file cut out as they are written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from devices.device import Candidate
from devices.input_values import encode_all
from devices.model_inputs import random_inputs
from devices.prepared import prepare
from devices.registry import get_device
from foundation.errors import UserError
from latency.operators.single_nodes import SingleNode, nodes_of, same_operator, single_nodes
from latseg.testing.nets import mobile_net, saved


def cut(text: str, folder: Path, **shapes: tuple[int, ...]) -> list[SingleNode]:
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17, "my" : 1, "com.microsoft" : 1]> {text}')
    path = saved(model, folder / "net.onnx")
    return list(single_nodes(path, prepare(Candidate("net", path, tuple(shapes.items()))).inputs))


def test_every_node_of_a_net_runs_alone(tmp_path: Path) -> None:
    path = saved(mobile_net(), tmp_path / "net.onnx")
    nodes = list(single_nodes(path, prepare(Candidate("net", path)).inputs))
    assert [(node.name, node.kind) for node in nodes] == [(node.name, node.op_type) for node in mobile_net().graph.node]
    assert [(node.name, node.kind) for node in nodes] == [(node.name, node.kind) for node in nodes_of(path)]
    device = get_device("cpu")
    shapes = []
    for node in nodes:
        assert node.model is not None, node.reason
        alone = saved(node.model, tmp_path / "alone.onnx")
        shapes.append(device.infer(alone, random_inputs(prepare(Candidate("alone", alone)).inputs))[0].shape)
    assert shapes[0] == (1, 16, 32, 32)
    assert shapes[-1] == (1, 2, 64, 64)
    assert len({same_operator(node.model) for node in nodes if node.model}) < len(nodes)


def test_weights_and_attributes_are_those_of_the_file(tmp_path: Path) -> None:
    path = saved(mobile_net(), tmp_path / "net.onnx")
    node = next(single_nodes(path, prepare(Candidate("net", path)).inputs)).model
    assert node is not None
    (original,) = (node for node in mobile_net().graph.node[:1])
    weights = {tensor.name: tensor for tensor in mobile_net().graph.initializer}
    assert list(node.graph.node[0].attribute) == list(original.attribute)
    for made, name in zip(node.graph.initializer, original.input[1:], strict=True):
        np.testing.assert_array_equal(numpy_helper.to_array(made), numpy_helper.to_array(weights[name]))


def test_weights_in_another_file_are_read(tmp_path: Path) -> None:
    onnx.save(mobile_net(), tmp_path / "net.onnx", save_as_external_data=True, location="weights", size_threshold=0)
    path = tmp_path / "net.onnx"
    (first, *_) = single_nodes(path, prepare(Candidate("net", path)).inputs)
    assert first.model is not None
    assert {len(tensor.external_data) for tensor in first.model.graph.initializer} == {0}


def test_sizes_that_are_computed_are_constants(tmp_path: Path) -> None:
    text = """g (float[1, 3, h, w] x) => (float[n, m] y) <int64[1] all = {-1}> {
        s = Shape<start = 0, end = 2>(x)
        t = Concat<axis = 0>(s, all)
        y = Reshape(x, t) }"""
    size, sides, reshaped = cut(text, tmp_path, x=(1, 3, 4, 5))
    assert reshaped.model is not None
    assert [tensor.name for tensor in reshaped.model.graph.initializer] == ["x1"]
    assert numpy_helper.to_array(reshaped.model.graph.initializer[0]).tolist() == [1, 3, -1]
    assert size.model is not None
    assert sides.model is not None
    for node in (size, sides, reshaped):
        assert node.model is not None
        alone = saved(node.model, tmp_path / "alone.onnx")
        get_device("cpu").infer(alone, random_inputs(prepare(Candidate("alone", alone)).inputs))


def test_a_value_that_decides_no_size_stays_an_input(tmp_path: Path) -> None:
    header = '<ir_version: 8, opset_import: ["" : 17]>'
    text = f"{header} g (float[4] x, int64[1] n) => (float y) {{ z = Relu(x) y = Tile(z, n) }}"
    path = saved(onnx.parser.parse_model(text), tmp_path / "net.onnx")
    values = encode_all({"x": np.array(0.5), "n": np.array([2])})
    nodes = single_nodes(path, prepare(Candidate("net", path, (), values)).inputs)
    found = [node.model and [value.name for value in node.model.graph.input] for node in nodes]
    assert found == [["x0"], ["x0"]]


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("Relu(x)", "Relu(x)", True),
        ("Relu(x)", "Exp(x)", False),
        ("Elu<alpha = 1.0>(x)", "Elu<alpha = 2.0>(x)", False),
        ("Relu(x)", "Relu(z)", False),
        ("Mul(x, x)", "Mul(x, b)", False),
        ("Mul(x, b)", "Mul(x, c)", False),
        ("Mul(x, large)", "Mul(x, other)", True),
    ],
)
def test_which_nodes_are_the_same_operator(first: str, second: str, same: bool, tmp_path: Path) -> None:
    nine = "1, 2, 3, 4, 5, 6, 7, 8"
    text = f"""g (float[1, 9] x, float[1, 8] z) => (float a, float d)
        <float[1] b = {{1.0}}, float[1] c = {{2.0}}, float[9] large = {{{nine}, 9}}, float[9] other = {{{nine}, 0}}>
        {{ a = {first} d = {second} }}"""
    one, two = (node.model for node in cut(text, tmp_path))
    assert one is not None
    assert two is not None
    assert (same_operator(one) == same_operator(two)) is same


def test_an_operator_of_another_domain_says_nothing_of_its_output(tmp_path: Path) -> None:
    alone, after = cut("g (float[4] x) => (float y) { z = com.microsoft.Thing(x) y = Relu(z) }", tmp_path)
    assert alone.kind == "com.microsoft.Thing"
    assert alone.model is not None
    assert [node.op_type for node in alone.model.graph.node] == ["Thing", "Cast"]
    assert after.model is None
    assert "unknown shape" in after.reason


def test_functions_are_taken_apart(tmp_path: Path) -> None:
    text = """g (float[4] x) => (float[4] y) { y = my.twice(x) }
        <domain: "my", opset_import: ["" : 17]> twice (x) => (y) { z = Relu(x) y = Exp(z) }"""
    assert [node.kind for node in cut(text, tmp_path)] == ["Relu", "Exp"]


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        (
            "g (float[4] x) => (float[8] y) { s = SequenceConstruct(x, x) y = ConcatFromSequence<axis = 0>(s) }",
            ["an output: no tensor of numbers", "an input: no tensor of numbers"],
        ),
        (
            "g (float[4] x) => (string[4] y) { y = Cast<to = 8>(x) }",
            ["an output: no tensor of numbers"],
        ),
        (
            "g (float[4] x) => (float y) { y = com.microsoft.A<g = b (float[4] a) => (float[4] c) {c = Exp(a)}>(x) }",
            ["its attributes: a graph"],
        ),
    ],
)
def test_what_cannot_be_cut_out(text: str, reasons: list[str], tmp_path: Path) -> None:
    nodes = cut(text, tmp_path)
    assert [node.model for node in nodes] == [None] * len(reasons)
    assert all(node.reason.startswith(reason) for node, reason in zip(nodes, reasons, strict=True))


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        nodes_of(tmp_path / "gone.onnx")
