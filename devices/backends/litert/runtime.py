"""LiteRT, inside the worker process."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from typing_extensions import override

from devices.backends.litert.profile import profile_model
from devices.backends.litert.session import LiteRtSession
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


class LiteRt(Runtime):
    """Loads TFLite files."""

    def __init__(self, threads: int) -> None:
        self._threads = threads

    @override
    def load(self, file: ModelFile) -> LiteRtModel:
        return LiteRtModel(file, self._threads)

    @override
    def load_for_inference(self, path: Path) -> LiteRtInferenceModel:
        return LiteRtInferenceModel(path, self._threads)


class LiteRtModel(ClockedModel):
    """An interpreter with fixed random inputs; its outputs keep the layout of the file, as in a program."""

    def __init__(self, file: ModelFile, threads: int) -> None:
        self._file = file
        self.threads = threads
        self._feeds = random_inputs(file.inputs)
        start = time.perf_counter_ns()
        self._session = LiteRtSession(file.path, threads)
        self._session.fill(self._feeds)
        self.load_ms = (time.perf_counter_ns() - start) / 1e6

    @override
    def run(self) -> None:
        consume(self._session.run())

    @override
    def profile(self, runs: int) -> OperatorProfile:
        return profile_model(self._file, self._feeds, self.threads, runs)


class LiteRtInferenceModel(InferenceModel):
    """An interpreter with inputs and outputs as the ONNX model has them.

    Of a file that was not made of an ONNX model, inputs and outputs are those of the file, quantised ones as float32.
    """

    def __init__(self, path: Path, threads: int) -> None:
        self._session = LiteRtSession(path, threads)
        self.inputs = self._session.input_shapes

    @override
    def infer(self, feeds: Mapping[str, Array]) -> list[Array]:
        return numbers(self._session.infer(feeds))
