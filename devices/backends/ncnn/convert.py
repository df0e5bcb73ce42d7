"""ONNX models as ncnn files, by pnnx (https://github.com/pnnx/pnnx), a program that comes as a Python package."""

from __future__ import annotations

import ast
import logging
import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from devices.backends.ncnn.param_text import (
    Layer,
    read_layers,
    unconverted,
    with_pixel_shuffles,
    without_batch_marks,
    write_layers,
)
from devices.backends.ncnn.signature import Signature, write_signature
from devices.device import Availability
from devices.external_data import embed_external_data
from devices.model_file import read_model
from devices.model_inputs import data_inputs
from foundation.errors import UserError
from foundation.regular_file import MODEL_BYTES
from foundation.temporary_folder import TemporaryFolder

if TYPE_CHECKING:
    import onnx

INSTALL = 'pip install "latseg[ncnn]"'
PARAM_NAME = "model.ncnn.param"
TIMEOUT_S = 120.0
"""A net of usual size takes less than a second."""
_COORDINATES = ("half_pixel", "pytorch_half_pixel", "align_corners")
_MARKED = "latseg.marked."
_logger = logging.getLogger(__name__)


def converter_availability() -> Availability:
    """Whether pnnx is installed; it is not loaded."""
    if find_spec("pnnx") is None:
        return Availability(False, "pnnx is not installed", INSTALL)
    return Availability(True)


def convert_to_ncnn(path: Path, param: Path) -> None:
    """Writes the ONNX model at ``path`` to ``param``, and beside it its weights (``.bin``) and ``Signature``.

    Weights are float32. Tensors with a batch axis lose it in ncnn's files; dynamic sizes stay dynamic.

    Raises:
        UserError: the model has an operator that pnnx or ncnn does not know, or pnnx fails.
    """
    model = read_model(path)
    embed_external_data(path, model, limit=MODEL_BYTES)
    _check_operators(path, model)
    inputs = tuple((each.name, _sizes(each)) for each in data_inputs(model.graph))
    outputs = tuple(each.name for each in model.graph.output)
    _mark_batches(model.graph)
    with TemporaryFolder() as temporary:
        folder = temporary.path
        _run_pnnx(path, model, folder)
        layers = _layers(path, folder)
        batches = _batches((folder / "model_ncnn.py").read_text())
        if len(batches) != len(inputs) + len(outputs):
            raise _refusal(path, "inputs or outputs that pnnx leaves out")
        write_signature(param, Signature(inputs, outputs, batches[: len(inputs)], batches[len(inputs) :]))
        param.write_text(write_layers(layers))
        shutil.move(folder / "model.ncnn.bin", param.with_suffix(".bin"))


def _layers(path: Path, folder: Path) -> list[Layer]:
    """What pnnx wrote into ``folder``, mended."""
    pnnx, ncnn = (read_layers((folder / f"model.{name}.param").read_text()) for name in ("pnnx", "ncnn"))
    left = unconverted(pnnx, ncnn)
    if left:
        raise _refusal(path, f"the operator {', '.join(left)}, which pnnx cannot convert to ncnn")
    return without_batch_marks(with_pixel_shuffles(ncnn, pnnx))


def _check_operators(path: Path, model: onnx.ModelProto) -> None:
    """Refuses what pnnx does not: it ends with a segmentation fault, or takes a resize for another one."""
    own = {function.domain for function in model.functions}
    opset = max((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), default=1)
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx", *own):
            raise _refusal(path, f"the operator {node.domain}.{node.op_type}, which pnnx cannot convert to ncnn")
        coordinates = _coordinates(node, opset)
        if coordinates not in _COORDINATES:
            raise _refusal(path, f"the operator {node.op_type} with coordinates {coordinates!r}, which ncnn lacks")


def _coordinates(node: onnx.NodeProto, opset: int) -> str:
    """Where an interpolating resize takes its pixels from; half_pixel for any other node."""
    texts: dict[str, str] = {each.name: each.s.decode() for each in node.attribute}
    if node.op_type not in ("Resize", "Upsample") or texts.get("mode", "nearest") == "nearest":
        return "half_pixel"
    return texts.get("coordinate_transformation_mode", "half_pixel" if opset > 10 else "asymmetric")


def _mark_batches(graph: onnx.GraphProto) -> None:
    """Puts a pooling of 1 x 1 behind each picture, by which pnnx knows that the first axis is that of a batch.

    Without a convolution or pooling it takes batch x channels x height x width for four axes of one picture, whose
    layout in memory is another one and slower.
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


def _run_pnnx(path: Path, model: onnx.ModelProto, folder: Path) -> None:
    """Runs pnnx on the model; it writes several files into ``folder``."""
    (folder / "model.onnx").write_bytes(_content(path, model))
    spec = find_spec("pnnx")
    assert spec, "the device is available"
    command = [str(Path(spec.origin or "").with_name("pnnx")), "model.onnx", "fp16=0"]
    environment = {**os.environ, "ORT_DISABLE_TELEMETRY": "1"}  # the program contains ONNX Runtime
    try:
        run = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, timeout=TIMEOUT_S, check=False, text=True
        )
    except subprocess.TimeoutExpired as error:
        raise _refusal(path, f"a model with which pnnx is not done in {TIMEOUT_S:g} s") from error
    _logger.debug("pnnx, exit code %d: %s", run.returncode, run.stdout[-2000:])
    if run.returncode or not (folder / "model.ncnn.param").exists():
        lines = [line.strip() for line in f"{run.stdout}\n{run.stderr}".splitlines() if line.strip()]
        reason = lines[-1][:200] if lines else "it says nothing"
        raise _refusal(path, f"a model that pnnx cannot convert to ncnn (exit code {run.returncode}: {reason})")


def _content(path: Path, model: onnx.ModelProto) -> bytes:
    try:
        content: bytes = model.SerializeToString()
    except Exception as error:  # protobuf's EncodeError, whose home has moved between versions
        raise _refusal(path, "more than 2 GiB") from error
    return content


def _batches(script: str) -> tuple[int, ...]:
    """``batch_index`` of inputs and outputs, in their order, from the Python program that pnnx writes for its net."""
    found = [
        (node.lineno, keyword.value.value)
        for node in ast.walk(ast.parse(script))
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
