"""The same net has the same operator graph in every opset, whoever wrote the file."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from torch import nn

from latency.operators.from_onnx import from_onnx
from latency.operators.operator import OperatorGraph
from latency.operators.synthesize import single_operator, to_model
from tests.latency.operators.opset_builder import OpsetBuilder
from tests.latency.operators.opset_nets import NETS
from tests.latency.operators.torch_nets import (
    IMAGE,
    Classifier,
    Transformer,
    UNet,
    export_dynamo,
    export_legacy,
)

OPSETS = range(11, 21)
SHAPES = {"image": IMAGE}


def written(name: str, opset: int, *, constant_nodes: bool = False, dynamic: bool = True) -> onnx.ModelProto:
    net, rank = NETS[name]
    builder = OpsetBuilder(opset, constant_nodes=constant_nodes)
    return builder.finish(net(builder), ("n", 3, "h", "w") if dynamic else IMAGE, rank=rank)


def answer(model: onnx.ModelProto) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    image = np.random.default_rng(0).standard_normal(IMAGE).astype(np.float32)
    return session.run(None, {session.get_inputs()[0].name: image})[0]


def counts(graph: OperatorGraph) -> tuple[int, int]:
    return graph.flops, graph.parameters


@pytest.mark.parametrize("constant_nodes", [False, True])
@pytest.mark.parametrize("name", NETS)
def test_every_opset_gives_the_same_graph(name: str, constant_nodes: bool) -> None:
    expected = from_onnx(written(name, 17), SHAPES)
    assert min(expected.flops, expected.parameters) > 0
    for opset in OPSETS:
        graph = from_onnx(written(name, opset, constant_nodes=constant_nodes), SHAPES)
        assert graph == expected, f"opset {opset}"
        assert counts(graph) == counts(expected)
        assert all(side > 0 for operator in graph.operators for shape in operator.output_shapes for side in shape)


@pytest.mark.parametrize("name", NETS)
def test_onnxruntime_runs_every_file_and_agrees_on_the_size_of_the_answer(name: str) -> None:
    expected = answer(written(name, 17))
    for opset in OPSETS:
        model = written(name, opset)
        onnx.checker.check_model(model)
        given = answer(model)
        np.testing.assert_allclose(given, expected, rtol=1e-4, atol=1e-5, err_msg=f"opset {opset}")
        graph = from_onnx(model, SHAPES)
        assert [prod(graph.operators[sink].output_shapes[0]) for sink in graph.sinks] == [given.size]


@pytest.mark.parametrize("name", NETS)
def test_a_model_made_from_the_graph_is_the_same_net(name: str) -> None:
    for opset in (11, 17, 20):
        graph = from_onnx(written(name, opset), SHAPES)
        made = to_model(graph)
        assert from_onnx(made) == graph
        assert answer(made).size > 0


@pytest.mark.parametrize("name", NETS)
def test_files_from_onnx_version_converter(name: str) -> None:
    """It turns the softmax of old into one over two axes; nothing else may differ."""
    expected = from_onnx(written(name, 11), SHAPES)
    for opset in OPSETS[1:]:
        graph = from_onnx(onnx.version_converter.convert_version(written(name, 11, dynamic=False), opset))
        assert counts(graph) == counts(expected)
        for ours, theirs in zip(graph.operators, expected.operators, strict=True):
            assert ours == theirs or ours.kind == theirs.kind == "Softmax", f"opset {opset}"


def test_softmax_of_old_takes_all_axes_together() -> None:
    text = (
        '<ir_version: 7, opset_import: ["" : 12]> g (float[1,3,4,5] x) => (float[1,3,4,5] y) { y = Softmax<axis=1>(x) }'
    )
    graph = from_onnx(onnx.parser.parse_model(text))
    assert graph.operators[0].input_shapes == ((1, 60),)
    np.testing.assert_allclose(answer_of_ones(to_model(graph)).sum(), 1, rtol=1e-5)


def answer_of_ones(model: onnx.ModelProto) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    given = session.get_inputs()[0]
    return session.run(None, {given.name: np.ones(given.shape, np.float32)})[0]


GELU_BODIES = {
    "halved last": "d = Div(x, root) e = Erf(d) s = Add(e, one) m = Mul(x, s) y = Mul(m, half)",
    "gate halved": "d = Div(x, root) e = Erf(d) s = Add(one, e) m = Mul(half, s) y = Mul(x, m)",
    "halved first": "h = Mul(x, half) d = Mul(x, inverse) e = Erf(d) s = Add(e, one) y = Mul(h, s)",
}


@pytest.mark.parametrize("body", GELU_BODIES.values(), ids=GELU_BODIES)
def test_gelu_however_written(body: str) -> None:
    assert [operator.kind for operator in from_onnx(gelu(body)).operators] == ["Gelu"]


def test_a_gelu_of_which_something_else_reads_a_part_stays_apart() -> None:
    body = GELU_BODIES["halved last"].replace("y = Mul(m, half)", "z = Mul(m, half) y = Add(z, e)")
    assert "Gelu" not in [operator.kind for operator in from_onnx(gelu(body)).operators]


def gelu(body: str) -> onnx.ModelProto:
    model = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : 14]> g (float[1,4,8] x) => (float[1,4,8] y) {{ {body} }}'
    )
    for name, value in (("root", 2**0.5), ("inverse", 0.5**0.5), ("one", 1.0), ("half", 0.5)):
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(value, np.float32), name))
    return model


@pytest.mark.parametrize("net", [Classifier, UNet, Transformer])
def test_the_legacy_exporter(net: type[nn.Module]) -> None:
    made = net()
    expected = from_onnx(export_legacy(made, 17, dynamic=False))
    for opset in (11, 13, 14, 18, 20):
        model = export_legacy(made, opset, dynamic=True)
        assert from_onnx(model, SHAPES) == expected, f"opset {opset}"
        assert answer(model).size > 0
    assert from_onnx(to_model(expected)) == expected


def test_weights_in_a_second_file(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    settings = {"save_as_external_data": True, "location": "net.data", "size_threshold": 0}
    onnx.save(written("transformer", 17), path, **settings)
    assert from_onnx(path, SHAPES) == from_onnx(written("transformer", 17), SHAPES)


@pytest.mark.long
def test_the_dynamo_exporter_with_weights_in_a_second_file(tmp_path: Path) -> None:
    made = Classifier()
    path = tmp_path / "net.onnx"
    export_dynamo(made, 18, path)
    assert (tmp_path / "net.onnx.data").exists()
    assert from_onnx(path, SHAPES) == from_onnx(export_legacy(made, 17, dynamic=False))


@pytest.mark.long
@pytest.mark.parametrize("net", [UNet, Transformer])
def test_the_dynamo_exporter_in_all_its_opsets(net: type[nn.Module], tmp_path: Path) -> None:
    made, graphs = net(), []
    for opset in (18, 19, 20):
        path = tmp_path / f"{opset}.onnx"
        export_dynamo(made, opset, path)
        graphs.append(from_onnx(path, SHAPES))
    assert graphs[0] == graphs[1] == graphs[2]
    assert counts(graphs[0]) == counts(from_onnx(export_legacy(made, 17, dynamic=False)))


def pieces(opset: int) -> onnx.ModelProto:
    """Operators whose attributes became inputs from opset 10, 11 and 13 on."""
    b = OpsetBuilder(opset)
    if opset < 10:
        x = b.node("Slice", "image", axes=[2], starts=[0], ends=[16])
    else:
        x = b.node("Slice", "image", *(b.constant(values) for values in ([0], [16], [2])))
    pads = [0, 0, 1, 1, 0, 0, 1, 1]
    x = b.node("Pad", x, mode="constant", pads=pads) if opset < 11 else b.node("Pad", x, b.constant(pads))
    x = b.node("ReduceSum", x, axes=[3]) if opset < 13 else b.node("ReduceSum", x, b.constant([3]))
    return b.finish(x, IMAGE, rank=4)


def test_operators_whose_attributes_became_inputs() -> None:
    graphs = [from_onnx(pieces(opset)) for opset in (9, 10, 11, 12, 13, 17)]
    assert [operator.kind for operator in graphs[0].operators] == ["Slice", "Pad", "ReduceSum"]
    for graph in graphs[1:]:
        assert graph == graphs[0]
    for operator in graphs[0].operators:
        single = single_operator(operator)
        made = to_model(single)
        onnxruntime.InferenceSession(made.SerializeToString())
        assert from_onnx(made) == single
