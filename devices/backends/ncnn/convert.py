"""ONNX models as ncnn files."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from devices.backends.ncnn.converter_program import ConverterError, run_converter
from devices.backends.ncnn.param_text import (
    Layer,
    read_layers,
    unconverted,
    with_pixel_shuffles,
    without_batch_marks,
    write_layers,
)
from devices.backends.ncnn.resize_rules import resize_fault
from devices.backends.ncnn.signature import Signature, write_signature
from devices.external_data import embed_external_data
from devices.graph_walk import without_functions
from devices.model_file import read_model
from devices.model_inputs import data_inputs
from foundation.errors import UserError
from foundation.regular_file import MODEL_BYTES
from foundation.temporary_folder import TemporaryFolder

if TYPE_CHECKING:
    import onnx

PARAM_NAME = "model.ncnn.param"
_MARKED = "latseg.marked."


def convert_to_ncnn(path: Path, param: Path) -> None:
    """Writes the ONNX model at ``path`` to ``param``, and beside it its weights (``.bin``) and ``Signature``.

    Weights are float32. Tensors with a batch axis lose it in ncnn's files; dynamic sizes stay dynamic.

    Raises:
        UserError: the model has an operator that pnnx or ncnn does not know, or pnnx fails.
    """
    model = read_model(path)
    embed_external_data(path, model, limit=MODEL_BYTES)
    _check_operators(path, without_functions(model))
    inputs = tuple((each.name, _sizes(each)) for each in data_inputs(model.graph))
    outputs = tuple(each.name for each in model.graph.output)
    _mark_batches(model.graph)
    with TemporaryFolder() as temporary:
        converted = temporary.path / "model.onnx"
        converted.write_bytes(_content(path, model))
        try:
            run_converter(converted)
            layers, batches = _layers(converted), _batches(converted)
            signature = Signature(inputs, outputs, batches[: len(inputs)], batches[len(inputs) :])
        except (ConverterError, ValueError) as error:
            raise _refusal(path, f"a model that pnnx cannot convert to ncnn ({error})") from error
        write_signature(param, signature)
        param.write_text(write_layers(layers))
        shutil.move(converted.with_suffix(".ncnn.bin"), param.with_suffix(".bin"))


def _layers(converted: Path) -> list[Layer]:
    """What pnnx wrote beside the model, mended.

    Raises:
        ConverterError: it left an operator as it was.
    """
    pnnx, ncnn = (read_layers(converted.with_suffix(f".{name}.param").read_text()) for name in ("pnnx", "ncnn"))
    left = unconverted(pnnx, ncnn)
    if left:
        raise ConverterError(f"it does not know the operator {', '.join(left)}")
    return without_batch_marks(with_pixel_shuffles(ncnn, pnnx))


def _check_operators(path: Path, model: onnx.ModelProto) -> None:
    """Refuses what pnnx does not: it ends with a segmentation fault, or takes a resize for another one."""
    own = {function.domain for function in model.functions}
    opset = max((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), default=1)
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx", *own):
            raise _refusal(path, f"the operator {node.domain}.{node.op_type}, which ncnn lacks")
        if fault := resize_fault(node, opset):
            raise _refusal(path, f"the operator {node.op_type} with {fault}, which ncnn lacks")


def _mark_batches(graph: onnx.GraphProto) -> None:
    """Puts a pooling of 1 x 1 behind each picture, by which pnnx knows that the first axis is that of a batch.

    Without a convolution or pooling it takes batch x channels x height x width for four axes of one picture, whose
    layout is slower. ``without_batch_marks`` removes the poolings.
    """
    from onnx import TensorProto, helper

    pictures = [
        value.name
        for value in data_inputs(graph)
        if value.type.tensor_type.elem_type == TensorProto.FLOAT and len(_sizes(value)) == 4
    ]
    for node in graph.node:
        for index, name in enumerate(node.input):
            if name in pictures:
                node.input[index] = _MARKED + name
    for name in pictures:
        graph.node.insert(0, helper.make_node("MaxPool", [name], [_MARKED + name], kernel_shape=[1, 1]))


def _content(path: Path, model: onnx.ModelProto) -> bytes:
    try:
        content: bytes = model.SerializeToString()
    except Exception as error:  # protobuf's EncodeError, whose home has moved between versions
        raise _refusal(path, "more than 2 GiB") from error
    return content


def _batches(converted: Path) -> tuple[int, ...]:
    """``batch_index`` of inputs and outputs, in their order, from the Python program that pnnx writes for its net."""
    program = ast.parse(converted.with_name("model_ncnn.py").read_text())
    found = [
        (node.lineno, keyword.value.value)
        for node in ast.walk(program)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "batch_index" and isinstance(keyword.value, ast.Constant)
    ]
    return tuple(int(str(value)) for _, value in sorted(found))


def _sizes(value: onnx.ValueInfoProto) -> tuple[int | None, ...]:
    return tuple(
        each.dim_value if each.HasField("dim_value") and each.dim_value > 0 else None
        for each in value.type.tensor_type.shape.dim
    )


def _refusal(path: Path, seen: str) -> UserError:
    return UserError(
        f"model {path}",
        seen=seen,
        expected="operators that ncnn has",
        remedy="replace the operator, or use another device or format",
    )
