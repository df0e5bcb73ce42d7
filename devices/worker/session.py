"""A model loaded into a runtime inside the worker process."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from devices.measurement import OperatorTime
from devices.model_inputs import ModelInput
from devices.worker.loaded_model import LoadedModel
from devices.worker.run_queue import RunQueue

PROFILE_WARM_UP_RUNS = 3
"""Runs under the profiler that are not counted."""


class SessionError(Exception):
    """The runtime could not load or run the model; the text is the reason in one line."""


@dataclass(frozen=True, slots=True)
class BlockTime:
    """Back-to-back runs."""

    runs: int
    wall_ms: float
    """Of all runs together."""
    cpu_ms: float
    """Process CPU time, all threads."""
    waited_ms: float = 0.0
    """Share of ``wall_ms`` in which other processes had the core; see ``devices/worker/run_queue.py``."""

    @property
    def run_ms(self) -> float:
        """Mean time of one run on the core."""
        return (self.wall_ms - self.waited_ms) / self.runs


@dataclass(frozen=True, slots=True)
class OperatorProfile:
    """What the runtime's profiler said; ``operators`` are mean milliseconds, not yet scaled."""

    source: str
    operators: tuple[OperatorTime, ...] = ()
    peak_memory_bytes: int | None = None


class Session(ABC):
    """A loaded model that can be run and timed. Every method may raise ``SessionError``."""

    load_ms: float
    """Time that loading and compiling took."""

    @abstractmethod
    def time_block(self, runs: int) -> BlockTime:
        """Runs the model back to back on the same input, outputs consumed, nothing else in between."""

    @abstractmethod
    def profile(self, runs: int) -> OperatorProfile:
        """Operator times under the runtime's own profiler, joined to the tensors of the user's model."""


class Runtime(ABC):
    """Opens sessions; lives in the worker process and is the first to import the runtime."""

    @abstractmethod
    def open(self, path: Path, inputs: tuple[ModelInput, ...]) -> Session:
        """Loads a model.

        Raises:
            SessionError: the runtime refuses the model.
        """

    @abstractmethod
    def load(self, path: Path) -> LoadedModel:
        """Loads a model to be used; dynamic dimensions stay dynamic.

        Raises:
            SessionError: the runtime refuses the model.
        """


class ClockedSession(Session):
    """A session timed by the clocks of this process."""

    threads: int = 1
    """Of the runtime. Where there are several, waiting is not told apart: the threads wait side by side."""

    @abstractmethod
    def run(self) -> None:
        """One inference whose outputs are consumed."""

    def time_block(self, runs: int) -> BlockTime:
        """See ``Session``."""
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
