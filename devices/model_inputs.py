"""Inputs of a model with every dimension fixed, and the shapes of its tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from foundation.errors import UserError

if TYPE_CHECKING:
    import onnx

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ModelInput:
    """One input of a model; weights are none."""

    name: str
    shape: Shape
    dtype: str
    """Numpy's name of the element type, e.g. ``"float32"``."""


def data_inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """The inputs that are not weights (IR version 3 lists weights among the inputs)."""
    weights = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in weights]


def model_inputs(model: onnx.ModelProto, given: Sequence[tuple[str, Shape]]) -> tuple[ModelInput, ...]:
    """The inputs that are not weights, dynamic dimensions filled in from ``given`` (shapes by input name).

    Raises:
        UserError: a dynamic dimension without a shape, a shape that contradicts the model, an unknown input name.
    """
    from onnx import helper

    values = data_inputs(model.graph)
    shapes = dict(given)
    unknown = sorted(set(shapes) - {value.name for value in values})
    if unknown:
        names = ", ".join(value.name for value in values)
        raise UserError(
            "input shape", seen=f"a shape for {unknown[0]!r}", expected=f"one of {names}", remedy="rename it"
        )
    resolved = []
    for value in values:
        element = value.type.tensor_type.elem_type
        if element not in helper.get_all_tensor_dtypes():
            raise UserError(
                f"input {value.name!r}", seen="no tensor", expected="a tensor", remedy="change the model's input"
            )
        dtype = helper.tensor_dtype_to_np_dtype(element).name
        resolved.append(ModelInput(value.name, _fixed(value, shapes.get(value.name)), dtype))
    return tuple(resolved)


def fix_input_shapes(model: onnx.ModelProto, shapes: Mapping[str, Shape]) -> None:
    """Writes shapes into the model's inputs, in place.

    Shapes that the file gives for inner tensors and outputs are removed where an input was dynamic: they would
    contradict.
    """
    changed = False
    for value in model.graph.input:
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
    return known_shapes(onnx.shape_inference.infer_shapes(fixed, data_prop=True).graph)


def random_inputs(inputs: Sequence[ModelInput], seed: int = 0) -> dict[str, NDArray[np.generic]]:
    """Arrays to feed: normal floats, bytes over their whole range, small integers; the same for the same seed."""
    random = np.random.default_rng(seed)
    return {each.name: _values(random, each.shape, np.dtype(each.dtype)) for each in inputs}


def _values(random: np.random.Generator, shape: Shape, dtype: np.dtype[np.generic]) -> NDArray[np.generic]:
    if dtype.kind == "f":
        return random.standard_normal(shape).astype(dtype)
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
