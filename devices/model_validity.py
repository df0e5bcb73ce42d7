"""ONNX's own checker, without its demands that runtimes do not share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from devices.external_data import is_external
from devices.graph_walk import all_tensors
from foundation.errors import UserError, first_line

if TYPE_CHECKING:
    import onnx


def check_validity(path: Path, model: onnx.ModelProto) -> None:
    """Runs the checker over a copy in which outputs have shapes and external weights have no numbers.

    The checker demands a shape of every input and output, knows IR versions up to its own, and refuses links to
    external data; ``devices.external_data`` checks those.

    Raises:
        UserError: the model is not valid; the reason is the checker's.
    """
    import onnx

    try:
        onnx.checker.check_model(_checkable(model))
    except Exception as error:  # beside ValidationError, C++ errors of many classes arrive here
        raise UserError(
            f"model {path}", seen=first_line(error)[:300], expected="a valid ONNX model", remedy="export it again"
        ) from error


def _checkable(model: onnx.ModelProto) -> onnx.ModelProto:
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    copy.ir_version = min(model.ir_version, onnx.IR_VERSION)
    for tensor in all_tensors(copy):
        if is_external(tensor):
            for field in ("data_location", "external_data", "dims"):
                tensor.ClearField(field)
            tensor.dims.append(0)
    for value in copy.graph.output:
        if value.type.WhichOneof("value") is None:
            value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    for value in (*copy.graph.input, *copy.graph.output):
        kind = value.type
        if kind.HasField("tensor_type") and not kind.tensor_type.HasField("shape"):
            kind.tensor_type.shape.SetInParent()
    return copy
