"""OpenVINO's CPU plugin, inside the worker process."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from devices.backends.ort.session import consume, one_line
from devices.model_inputs import ModelInput, random_inputs
from devices.worker.loaded_model import Array, LoadedModel
from devices.worker.session import ClockedSession, OperatorProfile, Runtime, SessionError

if TYPE_CHECKING:
    import openvino


def settings(threads: int, *, profiling: bool = False) -> dict[str, Any]:
    """Float32 (bfloat16 is the default where the processor has it), fixed threads, one stream, no cache."""
    return {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": "1",
        "PERFORMANCE_HINT": "LATENCY",
        "PERF_COUNT": profiling,
    }


def compile_model(
    model: str | bytes, shapes: dict[str, tuple[int, ...]], config: dict[str, Any]
) -> openvino.CompiledModel:
    """Reads a model, fixes its input shapes where they are given, and compiles it for the CPU.

    Raises:
        SessionError: OpenVINO refuses the model.
    """
    import openvino

    core = openvino.Core()
    try:
        network = core.read_model(model)
        if shapes and any(each.get_partial_shape().is_dynamic for each in network.inputs):
            network.reshape({name: list(shape) for name, shape in shapes.items()})
        return core.compile_model(network, "CPU", config)
    except (RuntimeError, ValueError) as error:
        raise SessionError(_reason(error)) from error


def _reason(error: Exception) -> str:
    """OpenVINO's messages begin with places in its own sources; what is wrong stands behind them."""
    text = one_line(error)
    for marker in ("OpenVINO does not support", "Exception was", "Check '"):
        if marker in text:
            return text[text.index(marker) :]
    return text


class OpenVino(Runtime):
    """Opens OpenVINO sessions on the CPU."""

    def __init__(self, threads: int) -> None:
        self._threads = threads

    def open(self, path: Path, inputs: tuple[ModelInput, ...]) -> OpenVinoSession:
        """Compiles a model."""
        return OpenVinoSession(path, inputs, self._threads)

    def load(self, path: Path) -> OpenVinoModel:
        """See ``Runtime``."""
        return OpenVinoModel(path, self._threads)


class OpenVinoModel(LoadedModel):
    """A compiled model with its inputs as the file declares them."""

    def __init__(self, path: Path, threads: int) -> None:
        compiled = compile_model(str(path), {}, settings(threads))
        self._request = compiled.create_infer_request()
        self.inputs = tuple((each.get_any_name(), _sizes(each)) for each in compiled.inputs)

    def infer(self, feeds: Mapping[str, Array]) -> list[Array]:
        """See ``LoadedModel``."""
        return [np.array(output) for output in infer(self._request, dict(feeds))]


def _sizes(port: openvino.ConstOutput) -> tuple[int | None, ...]:
    return tuple(None if size.is_dynamic else size.get_length() for size in port.get_partial_shape())


class OpenVinoSession(ClockedSession):
    """One compiled model with a fixed random input."""

    def __init__(self, path: Path, inputs: tuple[ModelInput, ...], threads: int) -> None:
        self._path = path
        self.threads = threads
        self._feeds: dict[str, Any] = dict(random_inputs(inputs))
        self._shapes = {each.name: each.shape for each in inputs}
        start = time.perf_counter_ns()
        self._request = compile_model(str(path), self._shapes, settings(threads)).create_infer_request()
        self.load_ms = (time.perf_counter_ns() - start) / 1e6

    def run(self) -> None:
        """One inference; the first number of every output is read."""
        consume(infer(self._request, self._feeds))

    def profile(self, runs: int) -> OperatorProfile:
        """Rows of OpenVINO's performance counters."""
        from devices.backends.ov.profile import profile_model

        return profile_model(self._path, self._feeds, self.threads, runs)


def infer(request: openvino.InferRequest, feeds: dict[str, Any]) -> list[Any]:
    """One inference; outputs in the model's order.

    Raises:
        SessionError: OpenVINO fails.
    """
    try:
        return list(request.infer(feeds).values())
    except (RuntimeError, ValueError) as error:
        raise SessionError(_reason(error)) from error
