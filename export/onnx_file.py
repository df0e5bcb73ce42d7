"""A user's ONNX file as something to export. Importing this module loads torch."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from devices.device import Device
from devices.external_data import embed_external_data
from devices.model_file import check_model, read_model
from devices.model_inputs import Shape, fix_input_shapes, model_inputs, random_inputs
from export.source import Source
from foundation.errors import UserError
from foundation.regular_file import MODEL_BYTES, read_regular

if TYPE_CHECKING:
    import onnx


class OnnxNetwork(nn.Module):
    """Runs an ONNX file on a device; it has no layers that could be traced."""

    def __init__(self, path: Path, names: tuple[str, ...], device: Device) -> None:
        super().__init__()
        self.path, self.names, self.device = path, names, device

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Outputs in the file's order."""
        feeds = {name: tensor.numpy() for name, tensor in zip(self.names, inputs, strict=True)}
        return tuple(_tensor("an output", array) for array in self.device.infer(self.path, feeds))


def source_of(model: Path, copy: Path, device: Device, *, shapes: Mapping[str, Shape], seed: int = 0) -> Source:
    """Writes ``model`` to ``copy``, as one file of fixed input shapes, and describes it with random inputs.

    A file of fixed shapes without external weights is copied byte for byte.

    Args:
        model: the ONNX file.
        copy: the file to write.
        device: runs ``copy``; its outputs are what every exported file is compared with.
        shapes: of inputs with dynamic axes, by name.
        seed: of the random inputs.

    Raises:
        UserError: not a model, an input without a shape or of a type that torch does not have (text, for example), or
            more than 2 GiB with its weights.
    """
    checked = check_model(model)
    inputs = model_inputs(checked, tuple(shapes.items()))
    copy.write_bytes(_one_file(model, {each.name: each.shape for each in inputs}))
    tensors = {name: _tensor(f"input {name!r}", array) for name, array in random_inputs(inputs, seed).items()}
    return Source(OnnxNetwork(copy, tuple(tensors), device), tensors, model_path=copy, seed=seed)


def weights_of(model: Path) -> int:
    """How many numbers of floating point the weights of an ONNX file have."""
    from onnx import TensorProto

    floats = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)
    tensors = check_model(model).graph.initializer
    return sum(prod(tensor.dims) for tensor in tensors if tensor.data_type in floats)


def _tensor(what: str, array: NDArray[np.generic]) -> Tensor:
    try:
        return torch.from_numpy(array)
    except TypeError as error:
        raise UserError(
            f"{what} of the model", seen=f"the type {array.dtype}", expected="a type that numpy and torch have",
            remedy="export the network in float32",
        ) from error  # fmt: skip


def _one_file(path: Path, shapes: Mapping[str, Shape]) -> bytes:
    model = read_model(path)
    before = read_regular(path, limit=MODEL_BYTES)
    embed_external_data(path, model, limit=MODEL_BYTES)
    fix_input_shapes(model, shapes)
    return before if model == read_model(path) else _serialised(path, model)


def _serialised(path: Path, model: onnx.ModelProto) -> bytes:
    try:
        return bytes(model.SerializeToString())
    except Exception as error:  # protobuf's EncodeError, whose home has moved between versions
        raise UserError(
            f"model {path}", seen="more than 2 GiB with its weights", expected="less", remedy="export a smaller network"
        ) from error
