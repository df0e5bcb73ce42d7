"""Commands of MNN joined to the tensors of the ONNX model, for graphs as its converter and its session make them."""

from __future__ import annotations

import onnx.parser

from devices.backends.mnn.net import MnnNet, MnnOperator
from devices.backends.mnn.profile import Command, executed_nodes
from devices.operator_join import ExecutedNode, join_rows
from devices.tensor_graph import TensorGraph

SHAPE = (1, 2, 4, 4)


def nodes(body: str, operators: list[MnnOperator], commands: list[str]) -> list[ExecutedNode]:
    """``commands`` are written ``NAME`` or ``NAME 1x4x4x4`` with the shape of the output."""
    user = onnx.parser.parse_graph(f"g (float[1, 2, 4, 4] x) => (float y) {{ {body} }}")
    shapes = {name: SHAPE for node in user.node for name in node.output} | {"wide": (1, 4, 4, 4)}
    made = []
    for text in commands:
        name, _, sides = text.partition(" ")
        made.append(Command(name, name, 1.0, tuple(map(int, sides.split("x"))) if sides else SHAPE))
    return executed_nodes(TensorGraph(user), MnnNet(tuple(operators), ("x",), ("y",)), made, shapes)


def test_what_was_fused_and_the_layout_of_the_output() -> None:
    """The operator has the name of the convolution, and its output another one before its layout is converted."""
    found = nodes(
        "a = Conv(x, w) y = Relu(a)",
        [
            MnnOperator("x___tr4a", ("x",), ("x___tr4a",), converts_layout=True),
            MnnOperator("a", ("x___tr4a",), ("y__before_tr",)),
            MnnOperator("y__before_tr", ("y__before_tr",), ("y",), converts_layout=True),
        ],
        ["a_raster_0", "a", "y__before_tr"],
    )
    assert [(node.sources, node.outputs) for node in found] == [(("x",), ()), ((0,), ("y",)), ((1,), ())]
    (row,) = join_rows(found)
    assert (row.ms, row.own_ms, row.inputs) == (3.0, 1.0, ("x",))


def test_a_concatenation_is_written_for_what_reads_it() -> None:
    """Once, whoever reads it later, and also where it is written in another layout."""
    found = nodes(
        "b = Relu(x) wide = Concat<axis = 1>(x, b) c = Conv(wide, w) d = Neg(wide) y = Add(c, d)",
        [
            MnnOperator("b", ("x",), ("b",)),
            MnnOperator("wide", ("x", "b"), ("wide",)),
            MnnOperator("wide___tr4c", ("wide",), ("wide___tr4c",), converts_layout=True),
            MnnOperator("c", ("wide___tr4c", "w"), ("c",)),
            MnnOperator("d", ("wide___tr4c",), ("d",)),
            MnnOperator("y", ("c", "d"), ("y",)),
        ],
        ["b", "c_raster_0 1x4x4x4", "c", "d", "y"],
    )
    assert [node.outputs for node in found] == [("b",), ("wide",), ("c",), ("d",), ("y",)]
    assert [node.sources for node in found] == [("x",), ("x", 0), (1,), (1,), (2, 3)]


def test_an_inner_command_of_another_shape_belongs_to_its_operator() -> None:
    """Here a value is spread over the sides; the view beside it costs nothing."""
    found = nodes(
        "b = Relu(x) wide = Reshape(b, s) y = Mul(x, wide)",
        [
            MnnOperator("b", ("x",), ("b",)),
            MnnOperator("wide", ("b",), ("wide",)),
            MnnOperator("y", ("x", "wide"), ("y",)),
        ],
        ["b", "y_raster_0 1x2x4x4", "y"],
    )
    assert [node.outputs for node in found] == [("b",), ("y",), ("y",)]
    (_, row) = join_rows(found)
    assert (row.kernel, row.ms, row.inputs) == ("y_raster_0+y", 2.0, ("x", "b"))


def test_operators_that_the_converter_added_belong_to_the_one_that_they_lead_to() -> None:
    found = nodes(
        "y = HardSigmoid(x)",
        [
            MnnOperator("Const1", (), ("Const1",)),
            MnnOperator("BinaryOp2", ("x", "Const1"), ("BinaryOp2",)),
            MnnOperator("y", ("BinaryOp2",), ("y",)),
        ],
        ["BinaryOp2", "y"],
    )
    assert [(node.sources, node.outputs) for node in found] == [(("x",), ("y",)), ((0,), ("y",))]


def test_a_command_without_a_name_counts_for_the_one_before() -> None:
    found = nodes("y = Relu(x)", [MnnOperator("y", ("x",), ("y",))], ["y", "_raster_8"])
    (row,) = join_rows(found)
    assert row.ms == 2.0


def test_a_users_tensor_may_have_the_name_of_an_inner_command() -> None:
    found = nodes(
        "y_raster_0 = Relu(x) y = Neg(y_raster_0)",
        [MnnOperator("y_raster_0", ("x",), ("y_raster_0",)), MnnOperator("y", ("y_raster_0",), ("y",))],
        ["y_raster_0", "y"],
    )
    assert [node.outputs for node in found] == [("y_raster_0",), ("y",)]
