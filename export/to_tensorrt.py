"""The ONNX file as TensorRT builds it, the engine where it can be built here, and a program that builds it there."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from typing_extensions import override

from devices.backends.tensorrt_rtx.target import TensorRtRtxTarget
from devices.model_file import check_model
from devices.registry import get_device
from export.build_engine import TENSOR
from export.bundle.examples import natural_inputs
from export.bundle.manifest import BundleFile
from export.bundle.texts import BUILDER_NAME, builder_script
from export.exporter import Exporter
from export.parity import Array
from export.source import Source
from export.to_bfloat16 import bfloat16_of, in_opset_of_bfloat16
from export.to_reduced_onnx import in_half_precision, quantise
from foundation.errors import UserError
from foundation.plugin_options import PluginOptions

ENGINE_NAME = "model.rtx.engine"
EXAMPLE_NAME = "model.tensorrt.npz"
TensorRtPrecision = Literal["float32", "float16", "bfloat16", "int8"]
_SYMMETRIC = {"ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False}
"""TensorRT has no zero points, and adds biases in float32."""

_NOT_IN_BFLOAT16 = ("ConvTranspose", "HardSigmoid", "HardSwish")
"""The parser or the builder of TensorRT for RTX 1.7.1 refuses them; they stay in float32."""


class TensorRtOptions(PluginOptions):
    """Options of the format."""

    precision: TensorRtPrecision = "float32"
    """TensorRT computes in the types of the file."""


class TensorRtExporter(Exporter):
    """ONNX Runtime runs the file itself for its parity; the engine and the program need a GPU.

    Nothing here runs bfloat16: its outputs are first compared by the program, with those of ``model.onnx``.
    """

    format = "tensorrt"
    file_name = "model.tensorrt.onnx"
    parity_only = True
    reads_onnx = False
    note = f"`python {BUILDER_NAME}` builds, verifies and times the engine on a GPU"
    Options = TensorRtOptions

    def __init__(self, *, precision: TensorRtPrecision = "float32") -> None:
        self._precision = precision

    @override
    def write(self, source: Source, folder: Path) -> BundleFile:
        model, path = folder / "model.onnx", folder / self.file_name
        self._write_model(model, path, source)
        inputs = _example(source)
        _write_example(model, inputs, folder / EXAMPLE_NAME)
        (folder / BUILDER_NAME).write_text(builder_script(), encoding="utf-8")
        note = f"{self.note}; {_build(path, inputs, folder / ENGINE_NAME)}"
        device = TensorRtRtxTarget.name if self._precision == "bfloat16" else self.device
        update = {"precision": self._precision, "note": note, "device": device}
        return self.entry(folder).model_copy(update=update)

    def _write_model(self, model: Path, path: Path, source: Source) -> None:
        if self._precision == "float32":
            shutil.copyfile(model, path)
            return
        source.require_pictures(self.format)
        if self._precision == "int8":
            quantise(model, path, source, _SYMMETRIC)
        elif self._precision == "float16":
            onnx.save(in_half_precision(onnx.load(model)), path)
        else:
            exact = in_opset_of_bfloat16(onnx.load(model))
            half = in_half_precision(in_opset_of_bfloat16(onnx.load(model)), but=_NOT_IN_BFLOAT16)
            onnx.save(bfloat16_of(half, exact), path)


def _example(source: Source) -> Mapping[str, Array]:
    if source.pictures is not None:
        return natural_inputs(source)[0]
    return {name: tensor.detach().cpu().numpy() for name, tensor in source.inputs.items()}


def _write_example(model: Path, inputs: Mapping[str, Array], path: Path) -> None:
    """Inputs by name, and the outputs of ONNX Runtime."""
    names = [output.name for output in check_model(model).graph.output]
    arrays: dict[str, Any] = {**inputs, **dict(zip(names, get_device("cpu").infer(model, inputs), strict=True))}
    np.savez(path, **{f"{TENSOR}{name}": array for name, array in arrays.items()})


def _build(model: Path, inputs: Mapping[str, Array], engine: Path) -> str:
    """Writes the engine for RTX GPUs, and says for which, or why there is none."""
    target = TensorRtRtxTarget()
    status = target.availability()
    if not status.available:
        return f"no engine was built here: {status.reason}"
    try:
        target.compile(model, inputs, engine)
    except UserError as error:
        return f"TensorRT for RTX builds no engine: {error.seen}"
    return f"{engine.name} is the one for {target.hardware}, built by {target.info().runtime_version} and not executed"
