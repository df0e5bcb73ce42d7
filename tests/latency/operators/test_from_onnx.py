"""Hand-written models in ONNX's text form, and nets as torch exports them."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from onnx.parser import parse_model
from torch import nn
from torch.nn import functional

from foundation.errors import UserError
from latency.operators import builders
from latency.operators.from_onnx import from_onnx
from latency.operators.operator import OperatorGraph
from latency.operators.synthesize import single_operator, to_model


def model(
    body: str,
    *,
    inputs: str = "float[1,3,8,8] x",
    output: str = "float[?,?,?,?] y",
    opset: int = 17,
    weights: Mapping[str, object] | None = None,
) -> onnx.ModelProto:
    text = f'<ir_version: 8, opset_import: ["" : {opset}]> g ({inputs}) => ({output}) {{ {body} }}'
    parsed = parse_model(text)
    for name, value in (weights or {}).items():
        array = np.ones(value, np.float32) if isinstance(value, tuple) else np.asarray(value)
        parsed.graph.initializer.append(numpy_helper.from_array(array, name))
    return parsed


def kinds(graph: OperatorGraph) -> list[tuple[str, object]]:
    return [(operator.kind, operator.attribute("activation", "")) for operator in graph.operators]


CONV = {"w": (4, 3, 3, 3), "b": (4,)}
HARD_SWISH_BODIES = {
    "HardSigmoid * x": "h = HardSigmoid<alpha=0.1666667, beta=0.5>(c) y = Mul(c, h)",
    "x * HardSigmoid": "h = HardSigmoid<alpha=0.1666667, beta=0.5>(c) y = Mul(h, c)",
    "gate by hand": "a = Add(c, three) r = Clip(a, zero, six) h = Div(r, six) y = Mul(c, h)",
    "gate by hand, times a sixth": "a = Add(three, c) r = Clip(a, zero, six) h = Mul(r, sixth) y = Mul(c, h)",
    "division last": "a = Add(c, three) r = Clip(a, zero, six) m = Mul(c, r) y = Div(m, six)",
    "one node": "y = HardSwish(c)",
}
SCALARS = {name: np.float32(v) for name, v in (("three", 3), ("zero", 0), ("six", 6), ("sixth", 1 / 6))}


@pytest.mark.parametrize("body", HARD_SWISH_BODIES.values(), ids=HARD_SWISH_BODIES)
def test_hard_swish_however_written_goes_into_the_convolution(body: str) -> None:
    made = model(f"c = Conv<pads=[1,1,1,1]>(x, w, b) {body}", weights={**CONV, **SCALARS})
    graph = from_onnx(made)
    assert graph.operators == (builders.convolution((1, 3, 8, 8), 4, kernel=(3, 3), activation="hswish"),)
    assert graph.operators[0].tensors[0] == "c"
    assert graph.operators[0].tensors[-1] == "y"


TO_LAST, TO_FIRST = "Transpose<perm=[0,2,3,1]>", "Transpose<perm=[0,3,1,2]>"


def test_transpositions_that_cancel_cost_nothing() -> None:
    body = f"c = Conv<pads=[1,1,1,1]>(x, w, b) l = {TO_LAST}(c) f = {TO_FIRST}(l) y = Relu(f)"
    graph = from_onnx(model(body, weights=CONV))
    assert graph.operators == (builders.convolution((1, 3, 8, 8), 4, kernel=(3, 3), activation="relu"),)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (f"l = {TO_LAST}(x) f = {TO_FIRST}(l) r = Relu(f) q = Relu(l) t = {TO_FIRST}(q) y = Add(r, t)", 2),
        (f"a = {TO_LAST}(x) f = {TO_FIRST}(a) b = {TO_LAST}(f) r = Relu(b) y = {TO_FIRST}(r)", 2),
        (f"a = {TO_LAST}(x) r = Reshape(a, swapped) f = {TO_FIRST}(r) y = Relu(f)", 2),
        (f"a = {TO_LAST}(x) b = {TO_LAST}(a) y = Relu(b)", 2),
    ],
    ids=["the first has another reader", "three in a row", "a view between", "they do not undo each other"],
)
def test_other_transpositions_stay(body: str, expected: int) -> None:
    graph = from_onnx(model(body, weights={"swapped": np.array([1, 8, 3, 8])}))
    assert [kind for kind, _ in kinds(graph)].count("Transpose") == expected


def test_what_undoes_both_transpositions_may_be_the_output() -> None:
    graph = from_onnx(model(f"r = Relu(x) l = {TO_LAST}(r) y = {TO_FIRST}(l)"))
    assert [kind for kind, _ in kinds(graph)] == ["Relu"]
    assert set(graph.operators[0].tensors) == {"r", "y"}


LINEAR_BODIES = {
    "one node": "y = Gemm(x, w, b)",
    "two": "m = MatMul(x, w) y = Add(m, b)",
    "the other way round": "m = MatMul(x, w) y = Add(b, m)",
    "transposed weights": "y = Gemm<transB=1>(x, v, b)",
}


@pytest.mark.parametrize("body", LINEAR_BODIES.values(), ids=LINEAR_BODIES)
def test_a_linear_layer_however_written_is_one_operator(body: str) -> None:
    weights = {"w": (8, 4), "v": (4, 8), "b": (4,)}
    made, expected = (
        model(each, inputs="float[1,8] x", output="float[1,4] y", weights=weights)
        for each in (body, LINEAR_BODIES["one node"])
    )
    assert from_onnx(made).operators == from_onnx(expected).operators


def test_a_linear_layer_with_a_view_inside_stays_two() -> None:
    body = "m = MatMul(x, w) r = Reshape(m, tokens) y = Add(r, b)"
    weights = {"w": (8, 4), "b": (4,), "tokens": np.array([2, 5, 4])}
    made = model(body, inputs="float[10,8] x", output="float[2,5,4] y", weights=weights)
    assert kinds(from_onnx(made)) == [("MatMul", ""), ("Add", "")]


def test_a_product_of_three_dimensions_stays_one() -> None:
    body = "m = MatMul(x, w) y = Add(m, b)"
    made = model(body, inputs="float[1,5,8] x", output="float[1,5,4] y", weights={"w": (8, 4), "b": (4,)})
    assert kinds(from_onnx(made)) == [("MatMul", ""), ("Add", "")]


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("y = Relu(c)", "relu"),
        ("y = HardSigmoid<alpha=0.1666667>(c)", "hsigmoid"),
        ("y = Sigmoid(c)", "sigmoid"),
        ("y = Clip(c, zero, six)", "clip"),
        ("y = LeakyRelu<alpha=0.1>(c)", "leaky_relu"),
        ("s = Sigmoid(c) y = Mul(c, s)", "silu"),
        ("n = BatchNormalization(c, b, b, b, b) y = Relu(n)", "relu"),
        ("y = Identity(c)", "none"),
    ],
)
def test_normalisation_and_activation_go_into_the_convolution(body: str, name: str) -> None:
    graph = from_onnx(model(f"c = Conv<pads=[1,1,1,1]>(x, w) {body}", weights={**CONV, **SCALARS}))
    assert graph.operators == (builders.convolution((1, 3, 8, 8), 4, kernel=(3, 3), activation=name),)


def test_prelu_counts_its_slopes() -> None:
    graph = from_onnx(model("c = Conv(x, w, b) y = PRelu(c, s)", weights={**CONV, "s": (4, 1, 1)}))
    (operator,) = graph.operators
    assert operator.parameters == 4 * 27 + 4 + 4
    assert from_onnx(to_model(graph)) == graph


def test_activation_stays_apart_where_the_convolution_has_another_reader() -> None:
    graph = from_onnx(model("c = Conv(x, w, b) r = Relu(c) y = Add(c, r)", weights=CONV))
    assert kinds(graph) == [("Conv", "none"), ("Relu", ""), ("Add", "")]
    assert graph.inputs == ((-1,), (0,), (0, 1))
    assert graph.edges == ((0, 1), (0, 2), (1, 2))


def test_activation_stays_apart_where_the_convolution_is_an_output() -> None:
    made = model("c = Conv(x, w, b) y = Relu(c)", output="float[?,?,?,?] y, float[?,?,?,?] c", weights=CONV)
    assert kinds(from_onnx(made)) == [("Conv", "none"), ("Relu", "")]


def test_gate_of_another_tensor_is_no_hard_swish() -> None:
    body = "c = Conv(x, w, b) d = Conv(x, w, b) h = HardSigmoid(c) y = Mul(d, h)"
    graph = from_onnx(model(body, weights=CONV))
    assert kinds(graph) == [("Conv", "hsigmoid"), ("Conv", "none"), ("Mul", "")]


def test_padding_goes_into_the_convolution() -> None:
    made = model("p = Pad(x, pads) y = Conv(p, w, b)", weights={**CONV, "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1])})
    assert from_onnx(made).operators == (builders.convolution((1, 3, 8, 8), 4, kernel=(3, 3)),)


@pytest.mark.parametrize(
    ("body", "opset"),
    [
        ("y = GlobalAveragePool(x)", 11),
        ("y = ReduceMean<axes=[2,3], keepdims=1>(x)", 13),
        ("y = ReduceMean<axes=[-1,-2], keepdims=0>(x)", 17),
        ("y = ReduceMean<keepdims=1>(x, axes)", 18),
        ("y = AveragePool<kernel_shape=[8,8]>(x)", 19),
    ],
)
def test_means_over_space_are_one_kind(body: str, opset: int) -> None:
    made = model(body, opset=opset, weights={"axes": np.array([2, 3])} if "axes)" in body else {})
    del made.graph.output[0].type.tensor_type.shape.dim[:]
    made.graph.output[0].type.tensor_type.ClearField("shape")
    assert from_onnx(made).operators == (builders.global_average_pool((1, 3, 8, 8)),)


def test_sizes_computed_at_run_time_are_folded() -> None:
    body = """
        s = Shape(x) hw = Slice(s, two, four) d = Cast<to=1>(hw) e = Mul(d, half) f = Floor(e) i = Cast<to=7>(f)
        nc = Slice(s, zero1, two) all = Concat<axis=0>(nc, i)
        r = Resize<mode="linear", coordinate_transformation_mode="half_pixel">(x, , , all)
        s2 = Shape(r) h2 = Gather(s2, index) h2u = Unsqueeze(h2, zero1) four4 = Mul(h2u, two)
        nc2 = Slice(s2, zero1, two) all2 = Concat<axis=0>(nc2, four4, four4)
        y = Resize<mode="nearest">(r, , , all2)
    """
    weights = {
        "two": np.array([2]),
        "four": np.array([4]),
        "zero1": np.array([0]),
        "half": np.float32(0.5),
        "index": np.array(2),
    }
    made = model(body, inputs="float[n,3,h,w] image", weights=weights)
    for node in made.graph.node:
        node.input[:] = ["image" if name == "x" else name for name in node.input]
    graph = from_onnx(made, {"image": (1, 3, 9, 12)})
    assert graph.operators == (
        builders.resize((1, 3, 9, 12), (1, 3, 4, 6), "linear"),
        builders.resize((1, 3, 4, 6), (1, 3, 8, 8), "nearest"),
    )


def test_views_vanish_but_their_shapes_are_seen() -> None:
    body = "p = GlobalAveragePool(x) f = Flatten(p) m = MatMul(f, w) y = Reshape(m, shape)"
    graph = from_onnx(model(body, weights={"w": (3, 5), "shape": np.array([1, 5, 1, 1])}))
    assert kinds(graph) == [("GlobalAveragePool", ""), ("MatMul", "")]
    assert graph.operators[1].input_shapes == ((1, 3),)
    assert graph.operators[1].flops == 2 * 3 * 5
    assert graph.operators[1].parameters == 15
    assert "y" in graph.operators[1].tensors
    assert from_onnx(to_model(graph)) == graph


def test_transpose_moves_data() -> None:
    graph = from_onnx(model("y = Transpose<perm=[0,2,3,1]>(x)"))
    assert graph.operators[0].attributes == (("perm", (0, 2, 3, 1)),)
    assert graph.operators[0].output_shapes == ((1, 8, 8, 3),)
    assert from_onnx(to_model(graph)) == graph


def test_other_operators_keep_attributes_constants_and_weights() -> None:
    body = "p = MaxPool<kernel_shape=[2,2], strides=[2,2]>(x) s = Slice(p, a, b, axes) y = Mul(s, scale)"
    weights = {"a": np.array([0]), "b": np.array([2]), "axes": np.array([1]), "scale": (1, 2, 1, 1)}
    graph = from_onnx(model(body, weights=weights))
    pool, cut, product = graph.operators
    assert pool.flops == 4 * 48
    assert cut.attributes == (("constant_1", (0,)), ("constant_2", (2,)), ("constant_3", (1,)))
    assert product.parameters == 2
    assert from_onnx(to_model(graph)) == graph


def test_split_feeds_its_readers_in_order() -> None:
    body = "a, b = Split<axis=1>(x, sizes) c = Relu(a) y = Concat<axis=1>(b, c)"
    graph = from_onnx(model(body, weights={"sizes": np.array([1, 2])}))
    assert graph.inputs == ((-1,), (0,), (0, 1))
    assert from_onnx(to_model(graph)) == graph


def test_image_input_of_bytes() -> None:
    body = "t = Transpose<perm=[0,3,1,2]>(x) f = Cast<to=1>(t) c = Conv(f, w, b) y = ArgMax<axis=1>(c)"
    graph = from_onnx(model(body, inputs="uint8[1,8,8,3] x", output="int64[?,?,?,?] y", weights=CONV))
    assert kinds(graph) == [("Transpose", ""), ("Cast", ""), ("Conv", "none"), ("ArgMax", "")]


def test_branch_that_nothing_reads_is_dropped() -> None:
    graph = from_onnx(model("dead = Relu(x) y = Sigmoid(x)"))
    assert kinds(graph) == [("Sigmoid", "")]


def test_lone_batch_normalisation() -> None:
    graph = from_onnx(model("n = BatchNormalization(x, s, s, s, s) y = Softmax<axis=1>(n)", weights={"s": (3,)}))
    assert [operator.parameters for operator in graph.operators] == [6, 0]
    assert from_onnx(to_model(graph)) == graph


def test_convolution_whose_weights_are_no_constant() -> None:
    """As in a quantised model, where they come out of a DequantizeLinear."""
    body = "v = Relu(w) y = Conv<pads=[1,1,1,1]>(x, v, b)"
    made = model(body, inputs="float[1,3,8,8] x, float[4,3,3,3] w", weights={"b": (4,)})
    convolution = from_onnx(made).operators[-1]
    assert convolution.flops == 2 * 8 * 8 * 4 * 3 * 3 * 3
    single = to_model(single_operator(convolution))
    onnx.checker.check_model(single, full_check=True)
    assert from_onnx(single).operators[-1].output_shapes == ((1, 4, 8, 8),)


def test_what_would_fill_the_memory_is_not_folded() -> None:
    def net(times: int) -> onnx.ModelProto:
        weights = {"one": np.ones(1, np.float32), "times": np.array([times])}
        return model("t = Tile(one, times) s = ReduceMax<keepdims=0>(t) y = Add(x, s)", weights=weights)

    assert [operator.kind for operator in from_onnx(net(1 << 28)).operators] == ["Tile", "ReduceMax", "Add"]
    with pytest.raises(UserError, match="2147483648"):
        from_onnx(net(1 << 31))


def test_shapes_noted_in_the_file_may_be_stale() -> None:
    """Runtimes go by what they infer."""
    graph = from_onnx(model("h = Relu(x) y = Sigmoid(h)", inputs="float[2,5] x", output="float[1,5] y"))
    assert [operator.output_shapes for operator in graph.operators] == [((2, 5),), ((2, 5),)]


class TestErrors:
    @pytest.mark.parametrize(
        ("body", "weights"),
        [
            ("y = Conv(x, w)", {"w": (4, 5, 3, 3)}),
            ("y = BatchNormalization(x, s, s, s, s)", {"s": (7,)}),
            ("y = Conv<group=0>(x, w)", {"w": (4, 3, 3, 3)}),
            ("y = Conv(x, w)", {"w": (4, 3, 9, 9)}),
            ("y = AveragePool<kernel_shape=[11, 11]>(x)", {}),
        ],
    )
    def test_what_no_runtime_takes(self, body: str, weights: dict[str, object]) -> None:
        with pytest.raises(UserError, match="model: got"):
            from_onnx(model(body, weights=weights))

    def test_weights_of_an_unknown_type(self) -> None:
        made = model("y = Conv(x, w)", weights={"w": (4, 3, 3, 3)})
        made.graph.initializer[0].data_type = 77
        with pytest.raises(UserError, match="model: got"):
            from_onnx(made)

    def test_dynamic_input_without_shape(self) -> None:
        with pytest.raises(UserError, match=r"'x'.*1x3x\?x\?"):
            from_onnx(model("y = Relu(x)", inputs="float[1,3,h,w] x"))

    def test_unknown_input(self) -> None:
        with pytest.raises(UserError, match=r"'image'.*x"):
            from_onnx(model("y = Relu(x)"), {"image": (1, 3, 8, 8)})

    @pytest.mark.parametrize("shape", [(1, 4, 8, 8), (1, 3, 8), (1, 3, 0, 8)])
    def test_contradicting_shape(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(UserError, match="shape of input 'x'"):
            from_onnx(model("y = Relu(x)", inputs="float[1,3,h,w] x"), {"x": shape})

    def test_control_flow(self) -> None:
        body = (
            "y = If<then_branch = t () => (float[1] a) { a = Constant<value = float[1] {1.0}>() },"
            " else_branch = e () => (float[1] a) { a = Constant<value = float[1] {2.0}>() }>(x)"
        )
        with pytest.raises(UserError, match=r"If.*control flow"):
            from_onnx(model(body, inputs="bool x", output="float[1] y"))

    def test_shape_that_only_the_numbers_decide(self) -> None:
        with pytest.raises(UserError, match="NonZero"):
            from_onnx(model("y = NonZero(x)", output="int64[?,?] y"))

    def test_operator_of_another_domain(self) -> None:
        made = model("z = Relu(x) y = Relu(z)")
        made.graph.node[0].domain, made.graph.node[0].op_type = "com.example", "Special"
        made.opset_import.append(onnx.helper.make_opsetid("com.example", 1))
        with pytest.raises(UserError, match=r"com\.example\.Special"):
            from_onnx(made)

    @pytest.mark.parametrize("opset", [6, 99])
    def test_opset(self, opset: int) -> None:
        made = model("y = Relu(x)")
        made.opset_import[0].version = opset
        with pytest.raises(UserError, match=f"opset.*{opset}"):
            from_onnx(made)

    def test_shapes_that_disagree(self) -> None:
        with pytest.raises(UserError):
            from_onnx(model("c = Conv(x, w, b) y = Add(c, x)", weights=CONV))

    def test_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"none\.onnx"):
            from_onnx(tmp_path / "none.onnx")


def test_the_given_model_is_left_alone() -> None:
    made = model("y = Relu(x)", inputs="float[1,3,h,w] x")
    before = made.SerializeToString()
    from_onnx(made, {"x": (1, 3, 4, 4)})
    assert made.SerializeToString() == before


@pytest.fixture(scope="module")
def torch_net():  # type: ignore[no-untyped-def]
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.stem_norm = nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8)
            self.depthwise, self.depthwise_norm = nn.Conv2d(8, 8, 5, 1, 4, 2, 8, bias=False), nn.BatchNorm2d(8)
            self.squeeze, self.excite = nn.Conv2d(8, 4, 1), nn.Conv2d(4, 8, 1)
            self.up, self.head = nn.ConvTranspose2d(8, 4, 4, 2, 1), nn.Conv2d(12, 8, 1)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            x = functional.hardswish(self.stem_norm(self.stem(image)))
            y = torch.relu(self.depthwise_norm(self.depthwise(x)))
            gate = functional.adaptive_avg_pool2d(y, 1)
            gate = functional.hardsigmoid(self.excite(functional.relu6(self.squeeze(gate))))
            y = y * gate + x
            up = functional.silu(self.up(y))
            skip = functional.interpolate(x, size=up.shape[2:], mode="bilinear")
            return functional.pixel_shuffle(self.head(torch.cat([up, skip], 1)), 2)

    return Net().eval()


def expected_net(size: int) -> tuple[builders.Operator, ...]:
    half = (1, 8, size // 2, size // 2)
    return (
        builders.convolution((1, 3, size, size), 8, kernel=(3, 3), strides=(2, 2), activation="hswish"),
        builders.convolution(half, 8, kernel=(5, 5), dilations=(2, 2), group=8, activation="relu"),
        builders.global_average_pool(half),
        builders.convolution((1, 8, 1, 1), 4, kernel=(1, 1), activation="clip"),
        builders.convolution((1, 4, 1, 1), 8, kernel=(1, 1), activation="hsigmoid"),
        builders.elementwise("Mul", [half, (1, 8, 1, 1)]),
        builders.elementwise("Add", [half, half]),
        builders.transposed_convolution(half, 4, kernel=(4, 4), strides=(2, 2), activation="silu"),
        builders.resize(half, (1, 8, size, size), "linear"),
        builders.concat([(1, 4, size, size), (1, 8, size, size)]),
        builders.convolution((1, 12, size, size), 8, kernel=(1, 1)),
        builders.depth_to_space((1, 8, size, size), 2),
    )


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("opset", [11, 13, 16, 17, 18, 20])
def test_torch_export(torch_net, opset: int, dynamic: bool) -> None:  # type: ignore[no-untyped-def]
    file = io.BytesIO()
    axes = {"dynamic_axes": {"image": {0: "n", 2: "h", 3: "w"}}} if dynamic else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            torch_net, torch.zeros(1, 3, 32, 32), file, input_names=["image"], opset_version=opset, dynamo=False, **axes
        )
    size = 48 if dynamic else 32
    graph = from_onnx(onnx.load_from_string(file.getvalue()), {"image": (1, 3, size, size)})
    for ours, theirs in zip(graph.operators, expected_net(size), strict=True):
        assert ours == theirs
    assert graph.inputs == (
        (-1,), (0,), (1,), (2,), (3,), (1, 4), (5, 0), (6,), (0,), (7, 8), (9,), (10,),
    )  # fmt: skip
    assert from_onnx(to_model(graph)) == graph
