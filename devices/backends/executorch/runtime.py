"""ExecuTorch, inside the worker process, which runs in its environment."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from typing_extensions import override

from devices.backends.executorch.document import read_document
from devices.backends.executorch.profile import profile_model
from devices.model_inputs import random_inputs
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
    one_line,
)


class ExecuTorch(Runtime):
    """Loads programs of ExecuTorch."""

    def __init__(self, threads: int) -> None:
        from executorch.extension.pybindings import portable_lib

        # torch and ExecuTorch have a pool of threads each; where one is left at its default, runs take up to 8 ms more.
        torch.set_num_threads(threads)
        portable_lib._unsafe_reset_threadpool(threads)

    @override
    def load(self, file: ModelFile) -> ExecuTorchModel:
        return ExecuTorchModel(file)

    @override
    def load_for_inference(self, path: Path) -> ExecuTorchInferenceModel:
        return ExecuTorchInferenceModel(path)


class ExecuTorchModel(ClockedModel):
    """A program with fixed random inputs."""

    def __init__(self, file: ModelFile) -> None:
        self._file = file
        self._inputs = _tensors(random_inputs(file.inputs))
        self.threads = torch.get_num_threads()
        start = time.perf_counter_ns()
        self._program = _loaded(file.path)
        self.load_ms = (time.perf_counter_ns() - start) / 1e6

    @override
    def run(self) -> None:
        consume([output.numpy() for output in _outputs(self._program, self._inputs)])

    @override
    def profile(self, runs: int) -> OperatorProfile:
        program = _loaded(self._file.path, profiled=True)
        return profile_model(self._file, program, lambda: _outputs(program, self._inputs), runs)


class ExecuTorchInferenceModel(InferenceModel):
    """A program with the inputs of the ONNX model; it has no dynamic sizes."""

    def __init__(self, path: Path) -> None:
        self._program = _loaded(path)
        self.inputs = read_document(path).inputs

    @override
    def infer(self, feeds: Mapping[str, Array]) -> list[Array]:
        ordered = {name: feeds[name] for name, _ in self.inputs}
        return numbers([output.numpy() for output in _outputs(self._program, _tensors(ordered))])


def _tensors(feeds: Mapping[str, Array]) -> list[torch.Tensor]:
    return [torch.from_numpy(array) for array in feeds.values()]


def _loaded(path: Path, *, profiled: bool = False) -> Any:
    from executorch.extension.pybindings import portable_lib

    try:
        return portable_lib._load_for_executorch(str(path), enable_etdump=profiled)
    except RuntimeError as error:
        raise ModelFailedError(one_line(error)) from error


def _outputs(program: Any, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
    try:
        found: list[torch.Tensor] = program.forward(inputs)
    except (RuntimeError, ValueError, TypeError) as error:
        raise ModelFailedError(one_line(error)) from error
    return found
