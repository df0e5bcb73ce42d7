"""Inputs of a model with every dimension fixed, and the shapes of its tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import chain
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from devices.graph_walk import all_nodes, weight_names
from devices.input_values import InputValues, decode, encode, fitted, given_shape
from devices.model_limits import MAX_TENSOR_NUMBERS, TensorTooLargeError
from foundation.errors import UserError

if TYPE_CHECKING:
    import onnx

Shape = tuple[int, ...]
_MAX_PROPAGATED = 2**20
"""Numbers of a tensor up to which shape inference computes them."""


@dataclass(frozen=True, slots=True)
class ModelInput:
    """One input of a model; weights are none."""

    name: str
    shape: Shape
    dtype: str
    """Numpy's name of the element type, e.g. ``"float32"``; ``"object"`` for text."""
    value: str = ""
    """The value to feed, as ``devices.input_values`` encodes it; empty for random numbers."""


def data_inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """The inputs that are not weights (IR version 3 lists weights among the inputs)."""
    weights = weight_names(graph)
    return [value for value in graph.input if value.name not in weights]


def model_inputs(
    model: onnx.ModelProto, given: Sequence[tuple[str, Shape]], values: InputValues = ()
) -> tuple[ModelInput, ...]:
    """The inputs that are not weights, dynamic dimensions filled in from ``given`` (shapes by input name).

    A value fixes the shape of its input, too. Dynamic dimensions of an input that no node reads are 1.

    Raises:
        UserError: a dynamic dimension without a shape, a shape or a value that contradicts the model or another input's
            name, an input that is no tensor.
        TensorTooLargeError: an input of ``MAX_TENSOR_NUMBERS`` or more.
    """
    inputs = data_inputs(model.graph)
    shapes, arrays = dict(given), {name: decode(text) for name, text in values}
    _check_names(inputs, "shape", shapes)
    _check_names(inputs, "value", arrays)
    read = {name for node in all_nodes(model.graph.node) for name in node.input}
    read.update(value.name for value in model.graph.output)
    return tuple(
        _model_input(value, shapes.get(value.name), arrays.get(value.name), unused=value.name not in read)
        for value in inputs
    )


def _check_names(inputs: Sequence[onnx.ValueInfoProto], what: str, given: Mapping[str, object]) -> None:
    names = [value.name for value in inputs]
    for name in given:
        if name not in names:
            raise UserError(
                f"input {what}",
                seen=f"a {what} for {name!r}",
                expected=f"one of {', '.join(names)}",
                remedy="rename it",
            )


def _model_input(
    value: onnx.ValueInfoProto, given: Shape | None, array: NDArray[np.generic] | None, *, unused: bool
) -> ModelInput:
    dtype = _dtype(value)
    if array is not None and given is None:
        declared = _declared(value) if value.type.tensor_type.HasField("shape") else None
        given = given_shape(declared, array)
    if given is None and unused:
        given = tuple(side or 1 for side in _declared(value))
    shape = _fixed(value, given)
    if prod(shape) >= MAX_TENSOR_NUMBERS:
        raise TensorTooLargeError(
            f"shape of input {value.name!r}",
            seen="x".join(map(str, shape)),
            expected=f"less than {MAX_TENSOR_NUMBERS:,} numbers",
            remedy="give a smaller shape",
        )
    if array is None:
        return ModelInput(value.name, shape, dtype)
    if array.ndim and array.size != prod(shape):
        seen, expected = f"{array.size} numbers", f"{prod(shape)}, or one for all"
        raise UserError(f"value of input {value.name!r}", seen=seen, expected=expected, remedy="give as many")
    return ModelInput(value.name, shape, dtype, encode(fitted(value.name, array, shape, dtype)))


def _dtype(value: onnx.ValueInfoProto) -> str:
    from onnx import helper

    kind = value.type.WhichOneof("value")
    element = value.type.tensor_type.elem_type
    if kind != "tensor_type" or element not in helper.get_all_tensor_dtypes():
        seen = {"tensor_type": f"the unknown element type {element}", None: "no type"}
        raise UserError(
            f"input {value.name!r}",
            seen=seen.get(kind, f"a {str(kind).removesuffix('_type').replace('_', ' ')}"),
            expected="a tensor",
            remedy="export the net with tensors as its inputs",
        )
    return str(helper.tensor_dtype_to_np_dtype(element).name)


def fix_input_shapes(model: onnx.ModelProto, shapes: Mapping[str, Shape]) -> None:
    """Writes shapes into the model's inputs, in place.

    Shapes that the file gives for inner tensors and outputs are removed where an input was dynamic: they would
    contradict.
    """
    changed = False
    for value in model.graph.input:
        if value.name in shapes:
            value.type.tensor_type.shape.SetInParent()
        if value.name in shapes and _declared(value) != list(shapes[value.name]):
            changed = True
            value.type.tensor_type.shape.ClearField("dim")
            for size in shapes[value.name]:
                value.type.tensor_type.shape.dim.add(dim_value=size)
    if changed:
        remove_inner_shapes(model.graph)


def remove_inner_shapes(graph: onnx.GraphProto) -> None:
    """Removes the shapes that the file gives for tensors other than its inputs."""
    del graph.value_info[:]
    for output in graph.output:
        output.type.tensor_type.ClearField("shape")


def known_shapes(graph: onnx.GraphProto) -> dict[str, Shape]:
    """Static shapes that a graph, after shape inference, gives for its tensors; weights included."""
    shapes: dict[str, Shape] = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    shapes.update((sparse.values.name, tuple(sparse.dims)) for sparse in graph.sparse_initializer)
    for value in (*graph.input, *graph.value_info, *graph.output):
        tensor = value.type.tensor_type
        if tensor.HasField("shape") and all(dim.HasField("dim_value") for dim in tensor.shape.dim):
            shapes[value.name] = tuple(dim.dim_value for dim in tensor.shape.dim)
    return shapes


def tensor_shapes(model: onnx.ModelProto, input_shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """Shapes by tensor name, as far as ONNX can infer them with the given input shapes; weights included."""
    import onnx

    fixed = deepcopy(model)
    fix_input_shapes(fixed, input_shapes)
    del fixed.graph.value_info[:]
    return known_shapes(onnx.shape_inference.infer_shapes(fixed, data_prop=propagates(fixed)).graph)


def random_inputs(inputs: Sequence[ModelInput], seed: int = 0) -> dict[str, NDArray[np.generic]]:
    """Arrays to feed: the given value, else normal floats, bytes over their whole range, small integers, short texts.

    The same seed gives the same arrays.
    """
    random = np.random.default_rng(seed)
    return {
        each.name: decode(each.value) if each.value else _values(random, each.shape, np.dtype(each.dtype))
        for each in inputs
    }


def _values(random: np.random.Generator, shape: Shape, dtype: np.dtype[np.generic]) -> NDArray[np.generic]:
    if dtype.kind == "f":
        return random.standard_normal(shape).astype(dtype)
    if dtype.kind == "O":
        return random.integers(0, 10, shape).astype(np.str_).astype(object)
    return random.integers(0, 256 if dtype == np.uint8 else 2, shape).astype(dtype)


def _declared(value: onnx.ValueInfoProto) -> list[int | None]:
    """Dimensions as the file gives them; None for a dynamic one."""
    dims = value.type.tensor_type.shape.dim
    return [dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None for dim in dims]


def _fixed(value: onnx.ValueInfoProto, given: Shape | None) -> Shape:
    declared = _declared(value)
    shown = "x".join("?" if dim is None else str(dim) for dim in declared)
    what = f"shape of input {value.name!r}"
    if given is None:
        if any(dim is None for dim in declared) or not value.type.tensor_type.HasField("shape"):
            raise UserError(
                what, seen=shown or "none", expected="fixed dimensions", remedy=f"give a shape for {value.name!r}"
            )
        return tuple(dim for dim in declared if dim is not None)
    known = value.type.tensor_type.HasField("shape")
    agrees = len(given) == len(declared) and all(d in (None, g) for d, g in zip(declared, given, strict=True))
    if (known and not agrees) or any(dim < 1 for dim in given):
        seen = "x".join(map(str, given))
        raise UserError(
            what, seen=seen, expected=shown or "positive dimensions", remedy="give a shape that fits the model"
        )
    return tuple(given)


def propagates(model: onnx.ModelProto) -> bool:
    """Whether shape inference may also compute the numbers of shapes (``data_prop``).

    It writes every number of a ``Range``, and of a ``Concat`` of concatenated constants, however many there are.
    """
    sizes = {tensor.name: prod(tensor.dims) for tensor in model.graph.initializer}
    for node in all_nodes(chain(model.graph.node, *(function.node for function in model.functions))):
        inputs = [sizes.get(name, 1) for name in node.input]
        size = (sum if node.op_type == "Concat" else max)(inputs or [1])
        if node.op_type == "Range" or size > _MAX_PROPAGATED:
            return False
        sizes.update(dict.fromkeys(node.output, size))
    return True
