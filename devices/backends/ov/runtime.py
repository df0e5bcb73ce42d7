"""OpenVINO's CPU plugin, inside the worker process."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from devices.backends.ov.calls import BFLOAT16, FLOAT32, compile_model, infer, settings
from devices.backends.ov.profile import profile_model
from devices.model_inputs import random_inputs
from devices.worker.runtime import (
    Array,
    ClockedModel,
    InferenceModel,
    ModelFile,
    OperatorProfile,
    Runtime,
    consume,
    numbers,
)

if TYPE_CHECKING:
    import openvino


class OpenVino(Runtime):
    """Loads models into OpenVINO."""

    precision: ClassVar[str] = FLOAT32

    def __init__(self, threads: int) -> None:
        self._threads = threads

    @override
    def load(self, file: ModelFile) -> OpenVinoModel:
        return OpenVinoModel(file, self._threads, self.precision)

    @override
    def load_for_inference(self, path: Path) -> OpenVinoInferenceModel:
        return OpenVinoInferenceModel(path, settings(self._threads, self.precision))


class OpenVinoBf16(OpenVino):
    """In bfloat16."""

    precision = BFLOAT16


class OpenVinoModel(ClockedModel):
    """A compiled model with fixed random inputs."""

    def __init__(self, file: ModelFile, threads: int, precision: str) -> None:
        self._file = file
        self.threads = threads
        self._precision = precision
        self._feeds = random_inputs(file.inputs)
        shapes = {each.name: each.shape for each in file.inputs}
        start = time.perf_counter_ns()
        self._request = compile_model(str(file.path), shapes, settings(threads, precision)).create_infer_request()
        self.load_ms = (time.perf_counter_ns() - start) / 1e6

    @override
    def run(self) -> None:
        consume(infer(self._request, self._feeds))

    @override
    def profile(self, runs: int) -> OperatorProfile:
        config = settings(self.threads, self._precision, profiling=True)
        return profile_model(self._file.onnx, self._feeds, config, runs)


class OpenVinoInferenceModel(InferenceModel):
    """A compiled model with its inputs as the file declares them."""

    def __init__(self, path: Path, config: dict[str, Any]) -> None:
        compiled = compile_model(str(path), {}, config)
        self._request = compiled.create_infer_request()
        self.inputs = tuple((_name(each), _sizes(each)) for each in compiled.inputs)

    @override
    def infer(self, feeds: Mapping[str, Array]) -> list[Array]:
        return numbers(infer(self._request, feeds))


def _name(port: openvino.ConstOutput) -> str:
    """The input's name in the file; a tensor that OpenVINO fused with the input has left it its name, too."""
    given = str(port.get_node().get_friendly_name())
    return given if given in port.get_names() else str(port.get_any_name())


def _sizes(port: openvino.ConstOutput) -> tuple[int | None, ...]:
    return tuple(None if size.is_dynamic else size.get_length() for size in port.get_partial_shape())
