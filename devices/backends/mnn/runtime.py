"""MNN's CPU kernels, inside the worker process."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from typing_extensions import override

from devices.backends.mnn.profile import profile_model
from devices.backends.mnn.session import MnnSession
from devices.model_file import read_model
from devices.model_inputs import random_inputs, tensor_shapes
from devices.worker.runtime import (
    Array,
    ClockedModel,
    InferenceModel,
    ModelFailedError,
    ModelFile,
    OperatorProfile,
    Runtime,
    consume,
    numbers,
)


class Mnn(Runtime):
    """Loads MNN files."""

    def __init__(self, threads: int) -> None:
        self._threads = threads

    @override
    def load(self, file: ModelFile) -> MnnModel:
        return MnnModel(file, self._threads)

    @override
    def load_for_inference(self, path: Path) -> MnnInferenceModel:
        return MnnInferenceModel(path, self._threads)


class MnnModel(ClockedModel):
    """A session with fixed random inputs."""

    def __init__(self, file: ModelFile, threads: int) -> None:
        self._file = file
        self.threads = threads
        self._feeds = random_inputs(file.inputs)
        start = time.perf_counter_ns()
        self._session = MnnSession(file.path, threads)
        self._session.fill(self._feeds)
        self.load_ms = (time.perf_counter_ns() - start) / 1e6
        self._check_shapes()

    @override
    def run(self) -> None:
        # Inputs are copied in and outputs copied out each time, as in a program: MNN may write over its inputs.
        consume(self._session.run())

    @override
    def profile(self, runs: int) -> OperatorProfile:
        return profile_model(self._file, self._feeds, self.threads, runs)

    def _check_shapes(self) -> None:
        given = {each.name: each.shape for each in self._file.inputs}
        expected = tensor_shapes(read_model(self._file.onnx), given)
        for name, shape in self._session.output_shapes.items():
            if expected.get(name, shape) != shape:
                raise ModelFailedError(f"MNN gives the output {name!r} the shape {shape}, ONNX {expected[name]}")


class MnnInferenceModel(InferenceModel):
    """A session with its inputs as the file declares them; whole numbers and truth values come out as int32."""

    def __init__(self, path: Path, threads: int) -> None:
        self._session = MnnSession(path, threads)
        self.inputs = tuple(
            (name, tuple(None if size < 0 else size for size in shape))
            for name, shape in self._session.input_shapes.items()
        )

    @override
    def infer(self, feeds: Mapping[str, Array]) -> list[Array]:
        self._session.fill(feeds)
        return numbers(self._session.run())
