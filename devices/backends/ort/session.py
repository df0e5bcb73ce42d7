"""ONNX Runtime's CPU provider, inside the worker process."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from devices.model_inputs import ModelInput, random_inputs
from devices.worker.loaded_model import Array, LoadedModel
from devices.worker.session import ClockedSession, OperatorProfile, Runtime, SessionError

if TYPE_CHECKING:
    import onnxruntime


def session_options(threads: int) -> onnxruntime.SessionOptions:
    """Fixed threads, no spinning, every optimisation."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options


def open_session(model: str | bytes, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    """Loads a model on the CPU provider.

    Raises:
        SessionError: ONNX Runtime refuses the model.
    """
    import onnxruntime

    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises classes of its own that share no public base
        raise SessionError(one_line(error)) from error


def one_line(error: Exception) -> str:
    """What the runtime said, on one line and not endless."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:297]}..."


class OnnxRuntime(Runtime):
    """Opens ONNX Runtime sessions on the CPU provider."""

    def __init__(self, threads: int) -> None:
        self._threads = threads

    def open(self, path: Path, inputs: tuple[ModelInput, ...]) -> OnnxRuntimeSession:
        """Loads a model; dynamic dimensions are fixed by what is fed."""
        return OnnxRuntimeSession(path, inputs, self._threads)

    def load(self, path: Path) -> OnnxRuntimeModel:
        """See ``Runtime``."""
        return OnnxRuntimeModel(path, self._threads)


class OnnxRuntimeModel(LoadedModel):
    """A model with its inputs as the file declares them."""

    def __init__(self, path: Path, threads: int) -> None:
        self._session = open_session(str(path), session_options(threads))
        self.inputs = tuple((each.name, _sizes(each.shape)) for each in self._session.get_inputs())

    def infer(self, feeds: Mapping[str, Array]) -> list[Array]:
        """See ``LoadedModel``."""
        return [np.asarray(output) for output in run_session(self._session, dict(feeds))]


def _sizes(shape: Sequence[int | str | None]) -> tuple[int | None, ...]:
    return tuple(size if isinstance(size, int) else None for size in shape)


class OnnxRuntimeSession(ClockedSession):
    """One loaded model with a fixed random input."""

    def __init__(self, path: Path, inputs: tuple[ModelInput, ...], threads: int) -> None:
        self._path = path
        self.threads = threads
        self._feeds: dict[str, Any] = dict(random_inputs(inputs))
        start = time.perf_counter_ns()
        self._session = open_session(str(path), session_options(threads))
        self.load_ms = (time.perf_counter_ns() - start) / 1e6

    def run(self) -> None:
        """One inference; the first number of every output is read."""
        consume(run_session(self._session, self._feeds))

    def profile(self, runs: int) -> OperatorProfile:
        """Rows of ONNX Runtime's profile."""
        from devices.backends.ort.profile import profile_model

        return profile_model(self._path, self._feeds, self.threads, runs)


def run_session(session: onnxruntime.InferenceSession, feeds: dict[str, Any]) -> list[NDArray[np.generic]]:
    """One inference.

    Raises:
        SessionError: ONNX Runtime fails, for instance for want of memory.
    """
    try:
        outputs: list[NDArray[np.generic]] = session.run(None, feeds)
    except Exception as error:  # as above: no public base class
        raise SessionError(one_line(error)) from error
    return outputs


def consume(outputs: list[NDArray[np.generic]]) -> None:
    """Reads one number of every output, so that no runtime can leave the work undone."""
    for output in outputs:
        if isinstance(output, np.ndarray) and output.size:
            output.item(0)
