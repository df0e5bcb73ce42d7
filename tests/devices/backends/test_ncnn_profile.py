"""Which times and tensors layers get; ncnn itself is not needed here."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx.parser
import pytest

from devices.backends.ncnn.layer_times import pass_ms
from devices.layer_join import Layer, LayerGraph, LayerTime, executed_nodes
from devices.operator_join import ExecutedNode, join_rows
from devices.tensor_graph import TensorGraph
from devices.tensor_values import TensorFinder, tensor_values
from devices.worker.runtime import Array, ModelFailedError

HEADER = '<ir_version: 9, opset_import: ["" : 17]> g (float[1, 4] x) => (float[1, 4] y)'
INPUT = np.array([[-2, -1, 1, 2]], np.float32)


def nodes(
    text: str, *layers: Layer, blobs: Mapping[int, str | Array], output: int, packing_ms: float = 0.0
) -> list[ExecutedNode]:
    """Of a net whose blob 0 is ``x`` and whose blobs have the values of these tensors."""
    model = onnx.parser.parse_model(f"{HEADER} {{ {text} }}")
    values = tensor_values(model, {"x": INPUT})
    finder = TensorFinder(TensorGraph(model.graph), values, ["y"])
    graph = LayerGraph(layers, {0: "x"}, {output: "y"})
    times = [LayerTime(1.0, packing_ms if 0 in layer.inputs else 0.0) for layer in layers]
    found = {blob: values[each] if isinstance(each, str) else each for blob, each in blobs.items()}
    return executed_nodes(graph, times, finder, lambda blob: found[blob].ravel())


def test_inner_tensors_of_a_fused_layer_are_made_by_none() -> None:
    first, second = nodes(
        "a = Neg(x) b = Relu(a) y = Exp(b)",
        Layer("Fused", (0,), (1,)),
        Layer("Exp", (1,), (2,)),
        blobs={1: "b", 2: "y"},
        output=2,
    )
    assert (first.outputs, first.sources) == (("b",), ("x",))
    assert (second.outputs, second.sources) == (("y",), (0,))


def test_equal_values_are_told_apart_by_what_a_layer_reads() -> None:
    """Gates that are saturated are all one."""
    layers = [Layer("Neg", (0,), (1,)), Layer("Exp", (0,), (2,)), Layer("Gate", (2,), (4,)), Layer("Gate", (1,), (3,))]
    made = nodes(
        "a = Neg(x) b = Exp(x) f = Sub(a, a) h = Sub(b, b) y = Add(f, h)",
        *layers,
        Layer("Add", (3, 4), (5,)),
        blobs={1: "a", 2: "b", 3: "f", 4: "h", 5: "y"},
        output=5,
    )
    assert [node.outputs for node in made] == [("a",), ("b",), ("h",), ("f",), ("y",)]


def test_equal_values_in_a_row_are_made_in_the_order_of_the_model() -> None:
    made = nodes(
        "a = Exp(x) b = Relu(a) y = Neg(b)",
        *(Layer("Layer", (blob,), (blob + 1,)) for blob in range(3)),
        blobs={1: "a", 2: "b", 3: "y"},
        output=3,
    )
    assert [node.outputs for node in made] == [("a",), ("b",), ("y",)]


def test_a_layer_of_the_runtimes_own_works_for_the_next_one() -> None:
    made = nodes(
        "a = Exp(x) y = Neg(a)",
        Layer("Own", (0,), (1,)),
        Layer("Exp", (1,), (2,)),
        Layer("Neg", (2,), (3,)),
        blobs={1: np.zeros(4, np.float32), 2: "a", 3: "y"},
        output=3,
    )
    assert [node.outputs for node in made] == [("a",), ("a",), ("y",)]


def test_twins_are_made_in_the_order_of_the_model() -> None:
    made = nodes(
        "a = Exp(x) b = Exp(x) y = Sub(a, b)",
        Layer("Exp", (0,), (1,)),
        Layer("Exp", (0,), (2,)),
        Layer("Sub", (1, 2), (3,)),
        blobs={1: "a", 2: "b", 3: "y"},
        output=3,
    )
    assert [node.outputs for node in made] == [("a",), ("b",), ("y",)]


def test_sizes_may_come_from_shapes_of_other_tensors() -> None:
    made = nodes(
        "a = Exp(x) s = Shape(a) b = Neg(a) c = Reshape(b, s) y = Relu(c)",
        *(Layer("Layer", (blob,), (blob + 1,)) for blob in range(4)),
        blobs={1: "a", 2: "b", 3: "c", 4: "y"},
        output=4,
    )
    assert [node.outputs for node in made] == [("a",), ("b",), ("c",), ("y",)]


def test_constants_cost_no_operator_anything() -> None:
    (made,) = nodes(
        "c = Constant<value = float {2}>() y = Mul(x, c)",
        Layer("MemoryData", (), (1,)),
        Layer("BinaryOp", (0, 1), (2,)),
        blobs={2: "y"},
        output=2,
    )
    assert (made.kernel, made.sources, made.outputs) == ("BinaryOp", ("x",), ("y",))


def test_values_that_are_no_numbers_are_compared() -> None:
    made = nodes(
        "a = Sqrt(x) y = Neg(a)",
        Layer("Sqrt", (0,), (1,)),
        Layer("Neg", (1,), (2,)),
        blobs={1: "a", 2: "y"},
        output=2,
    )
    assert [node.outputs for node in made] == [("a",), ("y",)]


def test_bringing_an_input_into_a_layout_is_charged_to_its_reader_and_not_its_own_time() -> None:
    made = nodes("y = Neg(x)", Layer("Neg", (0,), (1,)), blobs={1: "y"}, output=1, packing_ms=2.0)
    (row,) = join_rows(made)
    assert (row.kernel, row.ms, row.own_ms, row.inputs) == ("Neg", 3.0, 1.0, ("x",))


@pytest.mark.parametrize("wrong", [np.array([2, 1, -1, -1.99], np.float32), np.zeros(3, np.float32)])
def test_an_output_with_other_values_is_refused(wrong: Array) -> None:
    with pytest.raises(ModelFailedError, match="output 'y' has other values"):
        nodes("y = Neg(x)", Layer("Neg", (0,), (1,)), blobs={1: wrong}, output=1)


class Extractor:
    """Computes each blob once, which takes 5 ms; every call takes 1 ms, and 10 ms more where it has to copy."""

    def __init__(self) -> None:
        self.now = 0
        self.computed: set[int] = set()
        self.copying_ms = 10

    def set_blob_allocator(self, _: object) -> None:
        self.copying_ms = 0

    def extract(self, blob: int, layout: int) -> tuple[int, None]:
        ms = 1 + (0 if blob in self.computed else 5) + self.copying_ms + (10 if layout == 0 else 0)
        self.computed.add(blob)
        self.now += ms * 10**6
        return 0, None


def test_the_time_of_a_layer_is_without_that_of_the_call() -> None:
    extractor = Extractor()
    layers = [Layer("Conv", (0,), (1,)), Layer("Split", (1,), (2, 3))]
    assert pass_ms(extractor, object(), layers, lambda: extractor.now) == [5.0, 5.0]  # type: ignore[arg-type]
    assert extractor.now == 14 * 10**6


def test_channels_may_lie_behind_the_positions() -> None:
    """In LiteRT."""
    text = (
        '<ir_version: 9, opset_import: ["" : 17]> g (float[1, 2, 3] x) => (float[1, 2, 3] y) { a = Neg(x) y = Abs(a) }'
    )
    model = onnx.parser.parse_model(text)
    values = tensor_values(model, {"x": np.arange(6, dtype=np.float32).reshape(1, 2, 3)})
    moved = values["a"].transpose(0, 2, 1)
    graph = TensorGraph(model.graph)
    assert TensorFinder(graph, values, [], channels_last=True).find(moved, ["x"]) == "a"
    assert TensorFinder(graph, values, []).find(moved, ["x"]) is None
