"""ONNX Runtime, except that it misbehaves at some operators, as runtimes do that have an error."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from typing_extensions import override

from devices.backends.ort.runtime import OnnxRuntime, OrtInferenceModel
from devices.worker.device import ProcessDevice
from devices.worker.runtime import Array, InferenceModel, ModelFailedError


class PickyRuntime(OnnxRuntime):
    """Softsign: refused. Softplus: crashes. Celu: hangs. Selu: NaN. Tanh: another shape. Elu: other numbers.

    A model with Sin and Cos is refused, too.
    """

    @override
    def load_for_inference(self, path: Path) -> InferenceModel:
        kinds = {node.op_type for node in onnx.load(path).graph.node}
        if "Softsign" in kinds:
            raise ModelFailedError("no kernel for Softsign")
        if {"Sin", "Cos"} <= kinds:
            raise ModelFailedError("no angle has both")
        return PickyModel(path, kinds)


class PickyModel(OrtInferenceModel):
    """A session that knows its operators."""

    def __init__(self, path: Path, kinds: set[str]) -> None:
        super().__init__(path, 1)
        self._kinds = kinds

    @override
    def infer(self, feeds: Mapping[str, Array]) -> list[Array]:
        outputs = [np.asarray(output, np.float32) for output in super().infer(feeds)]
        if "Softplus" in self._kinds:
            ctypes.string_at(0)
        if "Celu" in self._kinds:
            time.sleep(1000)
        if "Selu" in self._kinds:
            outputs[0].flat[0] = np.nan
        if "Elu" in self._kinds:
            outputs[0] += 0.5
        return [output[..., 1:] if "Tanh" in self._kinds else output for output in outputs]


class PickyDevice(ProcessDevice):
    """The device of this runtime."""

    name = "picky"
    runtime = "tests.devices.worker.picky:PickyRuntime"
    package = "onnxruntime"
    install = "not needed"


class UselessRuntime(OnnxRuntime):
    """Refuses every model."""

    @override
    def load_for_inference(self, path: Path) -> InferenceModel:
        raise ModelFailedError("no kernels at all")


class UselessDevice(PickyDevice):
    """The device of this runtime."""

    name = "useless"
    runtime = "tests.devices.worker.picky:UselessRuntime"


class BrokenDevice(PickyDevice):
    """The runtime does not even start."""

    name = "broken"
    runtime = "tests.devices.worker.misbehaving:BrokenRuntime"
