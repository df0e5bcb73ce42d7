"""The process in which a runtime lives: ``python -m devices.worker.main RUNTIME THREADS READ_FD WRITE_FD LEDGER_FD``.

RUNTIME is ``module:class``. Requests and answers are JSON lines on pipes of their own, because runtimes print to
stdout. Before every step the worker notes in the ledger, a file shared with the parent, which candidate is in hand, so
that the parent knows at whose fault a crash or a hang is; writing to a file wakes nobody, writing to a pipe would.
"""

from __future__ import annotations

import gc
import importlib
import os
import queue
import signal
import sys
import threading
from dataclasses import asdict
from pathlib import Path

import numpy as np

from devices.protocol import MeasurementProtocol
from devices.worker.array_files import read_arrays, write_arrays
from devices.worker.loaded_model import LoadedModel
from devices.worker.messages import Message, decode, encode, input_from_json
from devices.worker.session import PROFILE_WARM_UP_RUNS, OperatorProfile, Runtime, Session, SessionError
from devices.worker.timing import REFERENCE, Timing, time_group

_BACKSTOP_FACTOR = 3
"""The parent kills a worker that hangs; should the parent be gone, an alarm does so after this many timeouts."""


class Ledger:
    """Notes the candidate in hand and how many steps were begun."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._steps = 0
        self._alarm_s = 0

    def watch(self, timeout_s: float) -> None:
        """Arms the alarm that ends this process, by the kernel's hand, when a step never ends."""
        self._alarm_s = max(1, round(timeout_s * _BACKSTOP_FACTOR))

    def step(self, candidate: int) -> None:
        """A step of this candidate begins."""
        self._steps += 1
        signal.alarm(self._alarm_s)
        os.pwrite(self._descriptor, f"{candidate:>8} {self._steps:>12}".encode(), 0)

    def rest(self) -> None:
        """No step is under way."""
        signal.alarm(0)


class Worker:
    """Serves requests until the parent closes its pipe."""

    def __init__(self, runtime: Runtime, requests: queue.Queue[Message], answers: int, ledger: Ledger) -> None:
        self._runtime = runtime
        self._requests = requests
        self._answers = answers
        self._ledger = ledger
        self._loaded: LoadedModel | None = None

    def serve(self) -> None:
        """Answers requests forever; the process ends when the reader meets the end of the pipe."""
        while True:
            request = self._requests.get()
            protocol = MeasurementProtocol(**request["protocol"])
            self._ledger.watch(protocol.timeout_s)
            gc.collect()
            gc.disable()
            if request["command"] == "measure":
                self._measure(request, protocol)
            else:
                self._use(request)
            gc.enable()
            self._ledger.rest()

    def _measure(self, request: Message, protocol: MeasurementProtocol) -> None:
        reference = self._reference(request)
        sessions = self._open(request["candidates"])
        random = np.random.default_rng(request["seed"])
        outcomes = time_group(sessions, reference, protocol, random=random, on_step=self._ledger.step)
        runs: dict[int, int] = {}
        for candidate, outcome in outcomes.items():
            if isinstance(outcome, Timing):
                runs[candidate] = _profile_runs(outcome, protocol)
                self._answer({"event": "timed", "candidate": candidate, "timing": asdict(outcome)})
            else:
                sessions.pop(candidate)
                self._answer({"event": "failed", "candidate": candidate, "reason": str(outcome)})
        while sessions:
            candidate, session = next(iter(sessions.items()))
            profile = self._profile(candidate, session, runs[candidate])
            self._ledger.rest()
            self._answer({"event": "profiled", "candidate": candidate, "profile": asdict(profile)})
            self._requests.get()  # the parent may be busy with the result: stay quiet until it asks for the next
            del sessions[candidate], session
        self._answer({"event": "done"})

    def _reference(self, request: Message) -> Session:
        self._ledger.step(REFERENCE)
        inputs = tuple(input_from_json(each) for each in request["reference_inputs"])
        return self._runtime.open(Path(request["reference"]), inputs)

    def _open(self, candidates: list[Message]) -> dict[int, Session]:
        sessions: dict[int, Session] = {}
        for index, candidate in enumerate(candidates):
            self._ledger.step(index)
            inputs = tuple(input_from_json(each) for each in candidate["inputs"])
            try:
                sessions[index] = self._runtime.open(Path(candidate["path"]), inputs)
            except SessionError as error:
                self._answer({"event": "failed", "candidate": index, "reason": str(error)})
        return sessions

    def _profile(self, candidate: int, session: Session, runs: int) -> OperatorProfile:
        if runs == 0:
            return OperatorProfile("not asked for, or a run takes too long")
        self._ledger.step(candidate)
        try:
            return session.profile(runs)
        except SessionError as error:
            return OperatorProfile(f"failed: {error}")

    def _use(self, request: Message) -> None:
        self._ledger.step(0)
        try:
            self._answer(self._load(request) if request["command"] == "load" else self._infer(request))
        except SessionError as error:
            self._answer({"event": "failed", "candidate": 0, "reason": str(error)})

    def _load(self, request: Message) -> Message:
        self._loaded = None
        self._loaded = self._runtime.load(Path(request["path"]))
        return {"event": "loaded", "inputs": self._loaded.inputs}

    def _infer(self, request: Message) -> Message:
        if self._loaded is None:
            raise SessionError("no model is loaded")
        feeds = dict(zip(request["names"], read_arrays(Path(request["feeds"])), strict=True))
        write_arrays(Path(request["outputs"]), self._loaded.infer(feeds))
        return {"event": "inferred"}

    def _answer(self, message: Message) -> None:
        content = memoryview(encode(message))
        while content:
            content = content[os.write(self._answers, content) :]


def _profile_runs(timing: Timing, protocol: MeasurementProtocol) -> int:
    """As many as the protocol asks for, fewer for a net so slow that they would look like hanging; may be none."""
    run_ms = max(timing.first_run_ms, *(block.wall_ms for block in timing.blocks))
    affordable = int(protocol.timeout_s * 1000 / 2 / run_ms) - PROFILE_WARM_UP_RUNS
    return min(protocol.profile_runs, max(0, affordable))


def _read_requests(descriptor: int, requests: queue.Queue[Message]) -> None:
    """Ends the process when the parent closes its end or dies, whatever the main thread is doing."""
    with os.fdopen(descriptor, "rb") as pipe:
        for line in pipe:
            requests.put(decode(line))
    os._exit(0)


def main() -> None:
    """Entry point of the worker process."""
    runtime_name, threads, read, write, ledger = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle; it closes the pipe
    requests: queue.Queue[Message] = queue.Queue()
    threading.Thread(target=_read_requests, args=(int(read), requests), daemon=True).start()
    module, _, name = runtime_name.partition(":")
    runtime: Runtime = getattr(importlib.import_module(module), name)(int(threads))
    Worker(runtime, requests, int(write), Ledger(int(ledger))).serve()


if __name__ == "__main__":
    main()
