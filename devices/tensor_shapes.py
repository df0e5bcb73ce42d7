"""Shapes of the tensors of a model, by ONNX shape inference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from devices.model_inputs import Shape

if TYPE_CHECKING:
    import onnx


def tensor_shapes(model: onnx.ModelProto, input_shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """Shapes by tensor name, as far as ONNX can infer them with the given input shapes. Weights included."""
    import onnx

    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    for value in fixed.graph.input:
        if value.name in input_shapes:
            del value.type.tensor_type.shape.dim[:]
            for size in input_shapes[value.name]:
                value.type.tensor_type.shape.dim.add().dim_value = size
    del fixed.graph.value_info[:]
    inferred = onnx.shape_inference.infer_shapes(fixed, data_prop=True).graph
    shapes: dict[str, Shape] = {tensor.name: tuple(tensor.dims) for tensor in inferred.initializer}
    for value in (*inferred.input, *inferred.value_info, *inferred.output):
        dims = value.type.tensor_type.shape.dim
        if value.type.tensor_type.HasField("shape") and all(dim.HasField("dim_value") for dim in dims):
            shapes[value.name] = tuple(dim.dim_value for dim in dims)
    return shapes
