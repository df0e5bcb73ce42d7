"""Fixing the dynamic dimensions of a model's inputs."""

from __future__ import annotations

from collections.abc import Mapping

import onnx

from foundation.errors import UserError
from latency.operators.operator import Shape


def data_inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """The inputs that are not weights (IR 3 lists weights among the inputs)."""
    weights = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in weights]


def fix_input_shapes(model: onnx.ModelProto, input_shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """Writes static shapes into the model's inputs, in place, and returns them by input name.

    Shapes that the file noted for inner tensors and outputs are dropped where an input was dynamic: they would
    contradict.

    Raises:
        UserError: a dynamic input without a shape, an unknown input, a shape that contradicts the file.
    """
    values = {value.name: value for value in data_inputs(model.graph)}
    for name in input_shapes:
        if name not in values:
            raise UserError(
                "input shape",
                seen=f"{name!r}",
                expected=f"one of the model's inputs: {', '.join(values)}",
                remedy="name the input as the file does",
            )
    shapes = {name: _static_shape(value, input_shapes.get(name)) for name, value in values.items()}
    if any(_dimensions(value) != list(shapes[name]) for name, value in values.items()):
        del model.graph.value_info[:]
        for output in model.graph.output:
            output.type.tensor_type.ClearField("shape")
    for name, value in values.items():
        value.type.tensor_type.shape.CopyFrom(
            onnx.TensorShapeProto(dim=[onnx.TensorShapeProto.Dimension(dim_value=side) for side in shapes[name]])
        )
    return shapes


def _dimensions(value: onnx.ValueInfoProto) -> list[int | None]:
    sides = value.type.tensor_type.shape.dim
    return [side.dim_value if side.HasField("dim_value") and side.dim_value > 0 else None for side in sides]


def _static_shape(value: onnx.ValueInfoProto, given: Shape | None) -> Shape:
    if not value.type.HasField("tensor_type"):
        raise UserError(
            f"input {value.name!r}",
            seen=value.type.WhichOneof("value"),
            expected="a tensor",
            remedy="export the network with tensor inputs",
        )
    noted = _dimensions(value)
    has_shape = value.type.tensor_type.HasField("shape")
    if given is None:
        if not has_shape or None in noted:
            raise UserError(
                f"input {value.name!r}",
                seen=f"dynamic shape {_describe(value)}",
                expected="a fixed shape",
                remedy=f"give the shape of {value.name!r}",
            )
        return tuple(side for side in noted if side is not None)
    fits = not has_shape or (
        len(noted) == len(given) and all(side in (None, ours) for side, ours in zip(noted, given, strict=True))
    )
    if not fits or any(side < 1 for side in given):
        raise UserError(
            f"shape of input {value.name!r}",
            seen=given,
            expected=f"a shape that fits {_describe(value)}",
            remedy="give positive sides that agree with the file's fixed ones",
        )
    return tuple(given)


def _describe(value: onnx.ValueInfoProto) -> str:
    sides = value.type.tensor_type.shape.dim
    return f"({', '.join(str(side.dim_value or side.dim_param or '?') for side in sides)})"
