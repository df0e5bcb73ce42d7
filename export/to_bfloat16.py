"""A model in bfloat16, for builders that compute in the types of the file."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_HALF, _BFLOAT16 = TensorProto.FLOAT16, TensorProto.BFLOAT16
_BFLOAT16_OPSET = 22
"""The first in which convolutions, pooling and the activations may have it (onnx.ai, operators' history)."""


def bfloat16_of(half: onnx.ModelProto, model: onnx.ModelProto) -> onnx.ModelProto:
    """``half`` with bfloat16 in the place of float16; where ``half`` has subgraphs, these stay as they are.

    Args:
        half: ``model`` in half precision with inputs and outputs in float32.
        model: the weights are rounded from those of this one, so that no range of float16 narrows them.
    """
    exact = {tensor.name: tensor for tensor in model.graph.initializer}
    del half.graph.value_info[:]  # it tells the types of before
    for tensor in _tensors(half.graph):
        if tensor.data_type == _HALF:
            numbers = numpy_helper.to_array(exact.get(tensor.name, tensor)).astype(np.float32)
            tensor.CopyFrom(helper.make_tensor(tensor.name, _BFLOAT16, numbers.shape, numbers.ravel()))
    for attribute in _attributes(half.graph):
        if attribute.name == "to" and attribute.i == _HALF:
            attribute.i = _BFLOAT16
    return half


def in_opset_of_bfloat16(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model in an opset whose operators take bfloat16."""
    from onnx.version_converter import convert_version

    (opset,) = (entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    return convert_version(model, _BFLOAT16_OPSET) if opset < _BFLOAT16_OPSET else model


def _tensors(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    yield from (attribute.t for attribute in _attributes(graph) if attribute.HasField("t"))


def _attributes(graph: onnx.GraphProto) -> Iterator[onnx.AttributeProto]:
    return (attribute for node in graph.node for attribute in node.attribute)
