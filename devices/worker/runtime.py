"""The contract of a runtime inside the worker process, and of the models that it has loaded."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from devices.measurement import OperatorTime
from devices.model_inputs import ModelInput
from devices.worker.run_queue import RunQueue
from devices.worker.transport import ConnectionLostError

MAX_OUTPUT_BYTES = 2**31
"""Of one inference: they are held in memory three times, in two processes."""
PROFILE_WARM_UP_RUNS = 3
"""Runs under the profiler that are not counted."""

Array = NDArray[np.generic]
InputShapes = tuple[tuple[str, tuple[int | None, ...]], ...]
"""Name and dimensions by input, in the model's order; None for a dimension of any size."""


class ModelFailedError(Exception):
    """The runtime could not load or run the model; the text is the reason in one line."""


class RuntimeLostError(ConnectionLostError):
    """The runtime is gone, and no model is known to be at fault: a browser was closed."""

    remedy = "see that the page is open"


def one_line(error: Exception) -> str:
    """The runtime's message on one line of at most 300 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:297]}..."


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model that is to be timed."""

    path: Path
    """File in the format that the runtime reads."""
    onnx: Path
    """The user's model; the same file where the runtime reads ONNX. Operator times are joined to its tensors."""
    inputs: tuple[ModelInput, ...]


@dataclass(frozen=True, slots=True)
class BlockTime:
    """Back-to-back runs."""

    runs: int
    wall_ms: float
    """Of all runs together."""
    cpu_ms: float
    """Process CPU time, all threads."""
    waited_ms: float = 0.0
    """Part of ``wall_ms`` in which other processes had the core; see ``devices/worker/run_queue.py``."""

    @property
    def run_ms(self) -> float:
        """Mean time of one run on the core."""
        return (self.wall_ms - self.waited_ms) / self.runs


@dataclass(frozen=True, slots=True)
class OperatorProfile:
    """Result of the runtime's profiler; times of ``operators`` are mean milliseconds, not yet scaled."""

    source: str
    """Where the rows come from, or why there are none."""
    operators: tuple[OperatorTime, ...] = ()
    peak_memory_bytes: int | None = None


class LoadedModel(ABC):
    """A model with fixed random inputs that can be run and timed. Every method may raise ``ModelFailedError``."""

    load_ms: float
    """Time that loading and compiling took."""

    @abstractmethod
    def time_block(self, runs: int) -> BlockTime:
        """Runs the model back to back on the same input, outputs consumed, nothing else in between."""

    @abstractmethod
    def profile(self, runs: int) -> OperatorProfile:
        """Operator times under the runtime's own profiler, joined to the tensors of the user's model."""


class InferenceModel(ABC):
    """A model that computes what it is fed and is not timed."""

    inputs: InputShapes

    @abstractmethod
    def infer(self, feeds: Mapping[str, Array]) -> list[Array]:
        """One inference with arrays of any size that the inputs allow; outputs in the model's order.

        Raises:
            ModelFailedError: the runtime fails.
        """


class Runtime(ABC):
    """Loads models; lives in the worker process and is the first to import the runtime's package.

    The constructor takes the number of threads.
    """

    @abstractmethod
    def load(self, file: ModelFile) -> LoadedModel:
        """Loads a model to be timed, its dimensions fixed to those of ``file.inputs``.

        Raises:
            ModelFailedError: the runtime refuses the model.
        """

    @abstractmethod
    def load_for_inference(self, path: Path) -> InferenceModel:
        """Loads a model to be used; dynamic dimensions stay dynamic.

        Raises:
            ModelFailedError: the runtime refuses the model.
        """


class ClockedModel(LoadedModel):
    """A loaded model that is timed by the clocks of this process."""

    threads: int = 1
    """Of the runtime. With several, waiting cannot be attributed: the threads wait side by side."""

    @abstractmethod
    def run(self) -> None:
        """One inference whose outputs are consumed."""

    @override
    def time_block(self, runs: int) -> BlockTime:
        run = self.run
        with RunQueue() as queue:
            start, waited_before = queue.snapshot()
            cpu = time.process_time_ns()
            for _ in range(runs):
                run()
            cpu_ms = (time.process_time_ns() - cpu) / 1e6
            end, waited_after = queue.snapshot()
        wall_ms = (end - start) / 1e6
        waiting_ms = (waited_after - waited_before) / 1e6 if self.threads == 1 else 0.0
        # The counters are those of all threads: what an idle helper waited while the net was running does not count.
        return BlockTime(runs, wall_ms, cpu_ms, max(0.0, min(waiting_ms, wall_ms - cpu_ms)))


def numbers(outputs: Sequence[object]) -> list[Array]:
    """The outputs, if all of them can travel to another process.

    Raises:
        ModelFailedError: one is no tensor, or a tensor of text, or all have more than ``MAX_OUTPUT_BYTES``.
    """
    arrays = [output for output in outputs if isinstance(output, np.ndarray) and output.dtype.kind not in "OUS"]
    if len(arrays) < len(outputs):
        raise ModelFailedError("an output is text, or no tensor")
    if sum(array.nbytes for array in arrays) > MAX_OUTPUT_BYTES:
        raise ModelFailedError(f"outputs of more than {MAX_OUTPUT_BYTES:,} bytes")
    return [np.array(array) for array in arrays]


def consume(outputs: Sequence[Array]) -> None:
    """Reads one number of every output, so that no runtime can postpone the work."""
    for output in outputs:
        if isinstance(output, np.ndarray) and output.size:
            output.item(0)
