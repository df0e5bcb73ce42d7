"""Files as they are found in the wild have the operator graph of the net that they are, or are refused in one line."""

from __future__ import annotations

import itertools
import resource
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from foundation.errors import UserError
from latency.operators.from_onnx import MAX_OPERATORS, from_onnx
from tests import odd_models as odd
from tests.shared_cases import shared_case

DYNAMIC = ("minus_one", "zero")


def refusal(path: Path, **given: object) -> str:
    """The line with which a file is refused, which is soon and takes little memory."""
    start, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError) as error:
        from_onnx(path, **given)  # type: ignore[arg-type]
    assert time.process_time() - start < 15
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20, "more than 1 GiB"
    return str(error.value)


@pytest.mark.parametrize("side", [0, -1])
def test_a_dimension_of_0_or_minus_1_is_dynamic(tmp_path: Path, side: int) -> None:
    path = odd.saved(odd.conv_net((side, 3, side, side)), tmp_path)
    assert from_onnx(path, {"x": (2, 3, 32, 32)}) == from_onnx(odd.conv_net((2, 3, 32, 32)))
    assert "?x3x?x?" in refusal(path)


@pytest.mark.parametrize("name", DYNAMIC)
def test_case_dynamic_dimensions(name: str) -> None:
    graph = from_onnx(shared_case(f"01-dim-zero-or-minus-one/{name}.onnx"), {"x": (2, 3, 32, 32)})
    assert graph.input_shapes == ((2, 3, 32, 32),)


@pytest.mark.parametrize("ratio", [0.5, 2.0])
def test_a_value_decides_a_size(tmp_path: Path, ratio: float) -> None:
    path = odd.saved(odd.ratio_net(), tmp_path)
    graph = from_onnx(path, None, {"ratio": np.array(ratio)})
    assert graph.operators[0].output_shapes == ((1, 3, int(64 * ratio), int(64 * ratio)),)
    assert "--input ratio=VALUE" in refusal(path)


def test_a_value_decides_a_length(tmp_path: Path) -> None:
    path = odd.saved(odd.range_net(), tmp_path)
    assert from_onnx(path, None, {"count": np.array(100)}).operators[-1].output_shapes == ((100,),)
    assert "--input count=VALUE" in refusal(path)
    assert "numbers" in refusal(path, input_values={"count": np.array(10**12)})


@pytest.mark.parametrize(("name", "value"), [("ratio", 0.5), ("size", [64, 64]), ("topk", [100]), ("length", 100)])
def test_case_values_that_decide_sizes(name: str, value: object) -> None:
    path = shared_case(f"02-ratio-input/{name}.onnx")
    key = {"topk": "k", "length": "len"}.get(name, name)
    assert from_onnx(path, None, {key: np.array(value)}).operators
    assert f"--input {key}=VALUE" in refusal(path)


def test_an_output_that_is_an_input(tmp_path: Path) -> None:
    net = odd.conv_net()
    kinds = [each.kind for each in from_onnx(odd.saved(net, tmp_path)).operators]
    net.graph.output.append(odd.value("x", None))
    assert [each.kind for each in from_onnx(odd.saved(net, tmp_path)).operators] == kinds


def test_what_is_given_is_still_worked_on(tmp_path: Path) -> None:
    path = odd.saved(odd.embedded_words(), tmp_path)
    graph = from_onnx(path, None, {"ids": np.array([[3, 1, 0, 0]])})
    assert [each.kind for each in graph.operators] == ["Gather", "MatMul", "NonZero"]
    assert graph.operators[-1].output_shapes == ((2, 2),)
    assert graph.input_shapes == ((1, 4),)
    assert "--input ids=VALUE" in refusal(path)


def test_a_shape_that_depends_on_the_picture_cannot_be_given(tmp_path: Path) -> None:
    found = refusal(odd.saved(odd.positions(), tmp_path))
    assert "--input" not in found
    assert "`latseg measure`" in found


@pytest.mark.parametrize("kind", [TensorProto.BOOL, TensorProto.BFLOAT16, TensorProto.INT8, TensorProto.DOUBLE])
def test_every_type_of_input_is_predicted(tmp_path: Path, kind: int) -> None:
    assert len(from_onnx(odd.saved(odd.cast_net(kind), tmp_path)).operators) == 2


def test_a_constant_text(tmp_path: Path) -> None:
    assert [each.kind for each in from_onnx(odd.saved(odd.text_net(), tmp_path)).operators] == ["Equal", "Cast"]


def test_case_string() -> None:
    assert len(from_onnx(shared_case("03-input-types/string.onnx")).operators) == 2


@pytest.mark.parametrize("ir", range(3, 15))
def test_the_same_net_has_the_same_graph_in_every_ir_version(tmp_path: Path, ir: int) -> None:
    path = odd.saved(odd.conv_net(ir=ir, listed=ir == 3), tmp_path)
    assert from_onnx(path) == from_onnx(odd.conv_net())


def test_weights_of_ir_3_that_are_no_inputs(tmp_path: Path) -> None:
    assert from_onnx(odd.saved(odd.conv_net(ir=3), tmp_path)) == from_onnx(odd.conv_net())


@pytest.mark.parametrize("name", ["opset7", "opset8", "opset9", "opset28", "ir3", "ir11", "ir14"])
def test_case_opsets_and_ir_versions(name: str) -> None:
    assert from_onnx(shared_case(f"07-opset-and-ir/{name}.onnx")) == from_onnx(
        shared_case("07-opset-and-ir/opset13.onnx")
    )


def test_case_small_weights_in_ir_3() -> None:
    pairs = [from_onnx(shared_case(f"07-opset-and-ir/depthwise_ir{version}.onnx")) for version in (3, 4)]
    assert pairs[0] == pairs[1]


@pytest.mark.parametrize("opset", [7, 8])
def test_opsets_before_9_are_upgraded(tmp_path: Path, opset: int) -> None:
    def net(opset: int) -> onnx.ModelProto:
        scales = [1.0, 1.0, 2.0, 2.0]
        upsample = (
            helper.make_node("Upsample", ["x"], ["u"], scales=scales)
            if opset < 9
            else helper.make_node("Upsample", ["x", "s"], ["u"])
        )
        ones = [odd.constant(name, np.ones(3), np.float32) for name in ("scale", "bias", "mean", "variance")]
        normalise = helper.make_node("BatchNormalization", ["u", "scale", "bias", "mean", "variance"], ["n"])
        if opset < 9:
            normalise.attribute.append(helper.make_attribute("spatial", 1))
        else:
            ones.append(odd.constant("s", scales, np.float32))
        nodes = [upsample, normalise, helper.make_node("Relu", ["n"], ["y"])]
        shapes = [odd.value("x", (1, 3, 8, 8))], [odd.value("y", (1, 3, 16, 16))]
        return odd.model(nodes, *shapes, ones, opset=opset, ir=3 if opset < 9 else 4)

    assert from_onnx(odd.saved(net(opset), tmp_path)) == from_onnx(net(9))


def test_an_unnamed_graph_and_unnamed_nodes(tmp_path: Path) -> None:
    net = odd.conv_net()
    net.graph.name = ""
    for node in net.graph.node:
        node.name = ""
    assert from_onnx(odd.saved(net, tmp_path)) == from_onnx(odd.conv_net())


def test_shapes_that_are_not_noted(tmp_path: Path) -> None:
    net = odd.conv_net()
    net.graph.output[0].type.tensor_type.ClearField("shape")
    assert from_onnx(odd.saved(net, tmp_path)) == from_onnx(odd.conv_net())
    net.graph.input[0].type.tensor_type.ClearField("shape")
    assert from_onnx(odd.saved(net, tmp_path), {"x": (1, 3, 32, 32)}) == from_onnx(odd.conv_net())
    net.graph.output[0].ClearField("type")
    assert from_onnx(odd.saved(net, tmp_path), {"x": (1, 3, 32, 32)}) == from_onnx(odd.conv_net())


@pytest.mark.parametrize("name", ["input", "output"])
def test_case_without_shapes(name: str) -> None:
    assert from_onnx(shared_case(f"13-output-without-shape/{name}.onnx"), {"x": (1, 3, 32, 32)}).operators


def test_sparse_weights(tmp_path: Path) -> None:
    (product,) = from_onnx(odd.saved(odd.sparse_net(), tmp_path)).operators
    assert (product.kind, product.parameters) == ("MatMul", 12)


@pytest.mark.parametrize(
    "name", ["sparse", "unnamed", "unused_input", "unused_dynamic", "scalar", "samename", "identity", "constout"]
)
def test_case_odd_graphs(name: str) -> None:
    from_onnx(shared_case(f"08-odd-graphs/{name}.onnx"))


def test_an_unused_input_needs_no_shape(tmp_path: Path) -> None:
    net = odd.conv_net()
    net.graph.input.append(odd.value("unused", ("n", 5)))
    assert from_onnx(odd.saved(net, tmp_path)).operators == from_onnx(odd.conv_net()).operators


def test_no_operators(tmp_path: Path) -> None:
    net = odd.model([], [odd.value("x", (1, 3))], [odd.value("x", (1, 3))])
    assert "no operators" in refusal(odd.saved(net, tmp_path))


def test_a_large_constant_is_not_computed(tmp_path: Path) -> None:
    assert "1x1200000000" in refusal(odd.saved(odd.one_hot_of_ten_gigabytes(), tmp_path))


@pytest.mark.parametrize("depth", [17, 30, 3000])
def test_functions_that_expand_to_many_nodes(tmp_path: Path, depth: int) -> None:
    assert "functions expanded" in refusal(odd.saved(odd.nested_functions(depth), tmp_path))


def test_functions_are_expanded(tmp_path: Path) -> None:
    graph = from_onnx(odd.saved(odd.nested_functions(3), tmp_path))
    assert [each.kind for each in graph.operators] == ["Relu"] * 8


def test_a_function_that_calls_itself(tmp_path: Path) -> None:
    net = odd.nested_functions(2)
    net.functions[1].node[0].op_type, net.functions[1].node[0].domain = "F0", "local"
    assert "calls itself" in refusal(odd.saved(net, tmp_path))


def test_too_many_operators(tmp_path: Path) -> None:
    names = ["x", *(f"t{position}" for position in range(MAX_OPERATORS + 1))]
    nodes = [helper.make_node("Relu", [a], [b]) for a, b in itertools.pairwise(names)]
    net = odd.model(nodes, [odd.value("x", (1, 3))], [odd.value(names[-1], (1, 3))])
    assert f"{MAX_OPERATORS:,}" in refusal(odd.saved(net, tmp_path))


def test_a_regular_expression_on_a_constant_is_not_evaluated(tmp_path: Path) -> None:
    word = helper.make_tensor("word", TensorProto.STRING, [1], [b"a" * 40 + b"!"])
    nodes = [
        helper.make_node("RegexFullMatch", ["word"], ["m"], pattern="(a+)+b"),
        helper.make_node("Cast", ["m"], ["f"], to=odd.FLOAT),
        helper.make_node("Add", ["x", "f"], ["y"]),
    ]
    net = odd.model(nodes, [odd.value("x", (1, 3))], [odd.value("y", (1, 3))], [word], opset=20, ir=9)
    start = time.process_time()
    from_onnx(odd.saved(net, tmp_path))
    assert time.process_time() - start < 15


def test_doubling_a_constant_again_and_again(tmp_path: Path) -> None:
    nodes = [helper.make_node("Concat", [f"c{n}", f"c{n}"], [f"c{n + 1}"], axis=0) for n in range(60)]
    nodes += [helper.make_node("ReduceSum", ["c60"], ["s"], keepdims=0), helper.make_node("Add", ["x", "s"], ["y"])]
    weights = [odd.constant("c0", [1.0], np.float32)]
    net = odd.model(nodes, [odd.value("x", (1, 3))], [odd.value("y", (1, 3))], weights)
    assert "numbers in each tensor" in refusal(odd.saved(net, tmp_path))


def test_an_empty_constant_where_a_number_is_read(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Add", ["x", "three"], ["a"]),
        helper.make_node("Clip", ["a", "empty", "six"], ["c"]),
        helper.make_node("Div", ["c", "six"], ["y"]),
    ]
    weights = [odd.constant(name, n, np.float32) for name, n in (("three", 3), ("six", 6), ("empty", []))]
    net = odd.model(nodes, [odd.value("x", (1, 3))], [odd.value("y", (1, 3))], weights)
    assert len(from_onnx(odd.saved(net, tmp_path)).operators) == 3


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("m1_onehot_10GB", "1x1200000000"),
        ("m2_functions_2pow30", "1,073,741,824"),
        ("t1_location_nul", "location"),
        ("t3_length_negative", "-5"),
        ("t4_offset_not_number", "offset"),
    ],
)
def test_case_hostile_models(name: str, said: str) -> None:
    assert said in refusal(shared_case(f"40-hostile-models/{name}.onnx"))
