"""ONNX Runtime's CPU provider, inside the worker process."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from typing_extensions import override

from devices.backends.ort.calls import open_session, run_session, session_options
from devices.backends.ort.profile import profile_model
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


class OnnxRuntime(Runtime):
    """Loads models into ONNX Runtime."""

    def __init__(self, threads: int) -> None:
        self._threads = threads

    @override
    def load(self, file: ModelFile) -> OrtModel:
        return OrtModel(file, self._threads)

    @override
    def load_for_inference(self, path: Path) -> OrtInferenceModel:
        return OrtInferenceModel(path, self._threads)


class OrtModel(ClockedModel):
    """A session with fixed random inputs; they fix the dynamic dimensions."""

    def __init__(self, file: ModelFile, threads: int) -> None:
        self._file = file
        self.threads = threads
        self._feeds = random_inputs(file.inputs)
        start = time.perf_counter_ns()
        self._session = open_session(str(file.path), session_options(threads))
        self.load_ms = (time.perf_counter_ns() - start) / 1e6

    @override
    def run(self) -> None:
        consume(run_session(self._session, self._feeds))

    @override
    def profile(self, runs: int) -> OperatorProfile:
        return profile_model(self._file.onnx, self._feeds, self.threads, runs)


class OrtInferenceModel(InferenceModel):
    """A session with its inputs as the file declares them."""

    def __init__(self, path: Path, threads: int) -> None:
        self._session = open_session(str(path), session_options(threads))
        self.inputs = tuple((each.name, _sizes(each.shape)) for each in self._session.get_inputs())

    @override
    def infer(self, feeds: Mapping[str, Array]) -> list[Array]:
        return numbers(run_session(self._session, feeds))


def _sizes(shape: Sequence[int | str | None]) -> tuple[int | None, ...]:
    return tuple(size if isinstance(size, int) else None for size in shape)
