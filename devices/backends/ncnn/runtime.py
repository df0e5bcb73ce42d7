"""ncnn, inside the worker process."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from typing_extensions import override

from devices.backends.ncnn.calls import Net
from devices.backends.ncnn.profile import profile_model
from devices.model_inputs import random_inputs
from devices.worker.runtime import Array, ClockedModel, InferenceModel, ModelFile, OperatorProfile, Runtime, consume


class Ncnn(Runtime):
    """Loads models into ncnn."""

    def __init__(self, threads: int) -> None:
        self._threads = threads

    @override
    def load(self, file: ModelFile) -> NcnnModel:
        return NcnnModel(file, self._threads)

    @override
    def load_for_inference(self, path: Path) -> NcnnInferenceModel:
        return NcnnInferenceModel(path, self._threads)


class NcnnModel(ClockedModel):
    """A net with fixed random inputs; they fix the dynamic dimensions."""

    def __init__(self, file: ModelFile, threads: int) -> None:
        self._file = file
        self.threads = threads
        self._inputs = random_inputs(file.inputs)
        start = time.perf_counter_ns()
        self._net = Net(file.path, threads)
        self.load_ms = (time.perf_counter_ns() - start) / 1e6
        self._feeds = self._net.feeds(self._inputs)

    @override
    def run(self) -> None:
        outputs = self._net.run(self._feeds)
        consume([output.numpy() for output in outputs])

    @override
    def profile(self, runs: int) -> OperatorProfile:
        return profile_model(self._net, self._file.onnx, self._inputs, runs)


class NcnnInferenceModel(InferenceModel):
    """A net with its inputs as the ONNX model declared them."""

    def __init__(self, path: Path, threads: int) -> None:
        self._net = Net(path, threads)
        self.inputs = self._net.signature.inputs

    @override
    def infer(self, feeds: Mapping[str, Array]) -> list[Array]:
        outputs = self._net.run(self._net.feeds(feeds))
        batches = self._net.signature.output_batches
        # Copies: numpy's views do not keep ncnn's memory alive.
        return [np.array(output.numpy(batch_index=batch)) for output, batch in zip(outputs, batches, strict=True)]
