"""The process in which a runtime lives.

``python -m devices.worker.main RUNTIME THREADS READ_FD WRITE_FD [STATUS_FD [LIFELINE_FD]]``; RUNTIME is
``module:class`` or ``module:class:setting``, and a STATUS_FD of -1 stands for none. Requests and answers are lines of
JSON on pipes of their own, because runtimes print to stdout. Before every step the worker records which candidate is
running and a step counter, so that the parent can attribute a crash or hang: in the status file, which wakes no other
process, or as a message where there is no such file. Both happen between blocks, never inside a timed one. LIFELINE_FD
is a pipe that the parent holds while it lives.
"""

from __future__ import annotations

import gc
import importlib
import os
import queue
import signal
import sys
import threading
from collections.abc import Sequence

import numpy as np

from devices.protocol import MeasurementProtocol
from devices.worker import messages
from devices.worker.lifeline import end_with_the_other_side
from devices.worker.memory_limit import limit_memory
from devices.worker.runtime import (
    PROFILE_WARM_UP_RUNS,
    LoadedModel,
    ModelFailedError,
    ModelFile,
    OperatorProfile,
    Runtime,
    RuntimeLostError,
    one_line,
)
from devices.worker.timing import REFERENCE, Timing, time_group
from devices.worker.used_model import Use, UsedModel

Requests = queue.Queue[messages.Request]
_NONE = -1
_ALARM_FACTOR = 3
"""The parent kills a worker that hangs; where the parent is gone, an alarm does so after this many timeouts."""


class Worker:
    """Serves requests until the parent closes its pipe.

    Args:
        runtime: loads the models.
        requests: filled by a thread of its own.
        answers: descriptor of the pipe to the parent.
        status: descriptor of the file that is shared with the parent; None where there is none.
    """

    def __init__(
        self, runtime: Runtime, requests: queue.Queue[messages.Request], answers: int, status: int | None
    ) -> None:
        self._runtime = runtime
        self._requests = requests
        self._answers = answers
        self._status = status
        self._steps = 0
        self._alarm_s = 0
        self._used = UsedModel(runtime)

    def serve(self) -> None:
        """Answers requests until the end of the pipe, where the reader ends the process, or a ``RuntimeLostError``."""
        while True:
            request = self._requests.get()
            gc.collect()
            gc.disable()
            self._fulfil(request)
            gc.enable()
            signal.alarm(0)

    def _fulfil(self, request: messages.Request) -> None:
        if isinstance(request, messages.Measure):
            self._alarm_after(request.protocol.timeout_s)
            self._measure(request)
        elif isinstance(request, Use):
            self._alarm_after(request.timeout_s)
            self._use(request)

    def _alarm_after(self, timeout_s: float) -> None:
        """From now on a step that never ends is ended by the operating system, and this process with it."""
        self._alarm_s = max(1, round(timeout_s * _ALARM_FACTOR))

    def _step(self, candidate: int) -> None:
        """A step of this candidate begins."""
        self._steps += 1
        signal.alarm(self._alarm_s)
        if self._status is None:
            self._answer(messages.Step(candidate))
        else:
            os.pwrite(self._status, f"{candidate:>8} {self._steps:>12}".encode(), 0)

    def _measure(self, request: messages.Measure) -> None:
        self._step(REFERENCE)
        reference = self._runtime.load(request.reference)
        models = self._load_all(request.candidates)
        protocol, random = request.protocol, np.random.default_rng(request.seed)
        outcomes = time_group(models, reference, protocol, random=random, on_step=self._step)
        runs: dict[int, int] = {}
        for candidate, outcome in outcomes.items():
            if isinstance(outcome, Timing):
                runs[candidate] = _profile_runs(outcome, protocol)
                self._answer(messages.Timed(candidate, outcome))
            else:
                models.pop(candidate)
                self._answer(messages.Failed(candidate, str(outcome)))
        while models:
            candidate, model = next(iter(models.items()))
            profile = self._profile(candidate, model, runs[candidate])
            signal.alarm(0)
            self._answer(messages.Profiled(candidate, profile))
            self._requests.get()  # the parent may be busy with the result: stay quiet until it asks for the next
            del models[candidate], model
        self._answer(messages.Done())

    def _load_all(self, files: Sequence[ModelFile]) -> dict[int, LoadedModel]:
        models: dict[int, LoadedModel] = {}
        for candidate, file in enumerate(files):
            self._step(candidate)
            try:
                models[candidate] = self._runtime.load(file)
            except ModelFailedError as error:
                self._answer(messages.Failed(candidate, str(error)))
        return models

    def _profile(self, candidate: int, model: LoadedModel, runs: int) -> OperatorProfile:
        if runs == 0:
            return OperatorProfile("not requested, or a run takes too long")
        self._step(candidate)
        try:
            return model.profile(runs)
        except ModelFailedError as error:
            return OperatorProfile(f"failed: {error}")

    def _use(self, request: Use) -> None:
        self._step(0)
        try:
            self._answer(self._used.answer(request))
        except ModelFailedError as error:
            self._answer(messages.Failed(0, str(error)))

    def _answer(self, message: messages.Answer) -> None:
        _write(self._answers, message)


def _profile_runs(timing: Timing, protocol: MeasurementProtocol) -> int:
    """As many as the protocol asks for, fewer for a net so slow that they would look like hanging; may be none."""
    run_ms = max(timing.first_run_ms, *(block.wall_ms for block in timing.blocks))
    affordable = int(protocol.timeout_s * 1000 / 2 / run_ms) - PROFILE_WARM_UP_RUNS
    return min(protocol.profile_runs, max(0, affordable))


def _write(descriptor: int, message: messages.Answer) -> None:
    content = memoryview(messages.encode(message))
    while content:
        content = content[os.write(descriptor, content) :]


def _read_requests(descriptor: int, requests: Requests) -> None:
    """Ends the process when the parent closes its end or dies, whatever the main thread is doing."""
    with os.fdopen(descriptor, "rb") as pipe:
        for line in pipe:
            requests.put(messages.decode_request(line))
    os._exit(0)


def main() -> None:
    """Entry point of the worker process."""
    runtime_name, threads, *descriptors = sys.argv[1:]
    read, write, status, lifeline = (*map(int, descriptors), *[_NONE] * (4 - len(descriptors)))
    if lifeline != _NONE:
        end_with_the_other_side(lifeline)
    # A signal to the whole group of processes is the parent's to handle; it closes the pipe.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    limit_memory()
    requests: Requests = queue.Queue()
    reader = threading.Thread(target=_read_requests, args=(read, requests), daemon=True)
    reader.start()
    module, name, *setting = runtime_name.split(":", 2)
    try:
        runtime: Runtime = getattr(importlib.import_module(module), name)(int(threads), *setting)
        Worker(runtime, requests, write, None if status == _NONE else status).serve()
    except RuntimeLostError as error:
        _write(write, messages.Lost(one_line(error)))
        reader.join()  # the parent reads this before it closes the pipe


if __name__ == "__main__":
    main()
