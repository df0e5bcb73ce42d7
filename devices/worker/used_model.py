"""The model of a worker that is compiled and run, but not timed."""

from __future__ import annotations

import time
from pathlib import Path

from devices.worker import messages
from devices.worker.compiler import Compiler
from devices.worker.peak_memory import peak_memory_bytes
from devices.worker.runtime import Array, InferenceModel, ModelFailedError, Runtime

Use = messages.Load | messages.Infer | messages.Compile


class UsedModel:
    """Holds one loaded model at a time."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._loaded: InferenceModel | None = None

    def answer(self, request: Use) -> messages.Answer:
        """Does what is asked.

        Raises:
            ModelFailedError: the runtime refuses the model, or fails.
        """
        if isinstance(request, messages.Load):
            return self._load(request)
        if isinstance(request, messages.Compile):
            return self._compile(request)
        return self._infer(request)

    def _load(self, request: messages.Load) -> messages.Loaded:
        self._loaded = None
        start = time.perf_counter_ns()
        self._loaded = self._runtime.load_for_inference(Path(request.path))
        return messages.Loaded(self._loaded.inputs, (time.perf_counter_ns() - start) / 1e6)

    def _compile(self, request: messages.Compile) -> messages.Compiled:
        if not isinstance(self._runtime, Compiler):
            raise ModelFailedError("this runtime compiles nothing")
        self._loaded = None
        self._loaded = model = self._runtime.compile(Path(request.path), _feeds(request), Path(request.artifact))
        return messages.Compiled(model.inputs, model.units)

    def _infer(self, request: messages.Infer) -> messages.Done:
        if self._loaded is None:
            raise ModelFailedError("no model is loaded")
        messages.write_arrays(Path(request.outputs), self._loaded.infer(_feeds(request)))
        return messages.Done(peak_memory_bytes())


def _feeds(request: messages.Infer | messages.Compile) -> dict[str, Array]:
    return dict(zip(request.names, messages.read_arrays(Path(request.feeds)), strict=True))
