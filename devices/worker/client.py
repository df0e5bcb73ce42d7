"""The parent's side of a worker."""

from __future__ import annotations

import logging
import time
from typing import Self

from devices.worker import messages
from devices.worker.runtime import RuntimeLostError
from devices.worker.transport import LocalTransport, Transport

_logger = logging.getLogger(__name__)
_POLL_S = 0.5
START_S = 60.0
"""Time that a worker may take to start on a busy machine; no candidate is at fault."""


class WorkerFailedError(Exception):
    """The worker crashed, hung or was killed while ``candidate`` was running; negative where none was."""

    def __init__(self, reason: str, candidate: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.candidate = candidate


class WorkerClient:
    """A worker process, killed on leaving the context.

    Args:
        runtime: ``module:class`` of the ``Runtime`` with which the worker loads models.
        threads: threads of the runtime.
        timeout_s: a step that takes longer has hung.
        transport: the way to the worker; pipes on this machine by default.
        start_s: time until the first step.
    """

    def __init__(
        self,
        runtime: str,
        threads: int,
        timeout_s: float,
        transport: Transport | None = None,
        *,
        start_s: float = START_S,
    ) -> None:
        self.transport = transport or LocalTransport()
        self._timeout_s = timeout_s
        self._start_s = start_s
        self._buffer = b""
        self._steps: list[int] = []
        """Candidates of the steps that the worker reported by message."""
        _logger.debug("starting a worker for %s, threads: %d", runtime, threads)
        try:
            self.transport.start(runtime, threads)
        except BaseException:
            self.transport.kill()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.transport.kill()
        _logger.debug("the worker is ended")

    def send(self, request: messages.Request) -> None:
        """Sends one request.

        Raises:
            WorkerFailedError: the worker is gone.
        """
        try:
            self.transport.send(messages.encode(request))
        except BrokenPipeError as error:
            raise WorkerFailedError(self.transport.ending(), self._candidate()) from error

    def receive(self) -> messages.Answer:
        """Waits for one answer.

        Raises:
            WorkerFailedError: the worker crashed, or a step takes longer than the timeout.
            RuntimeLostError: the worker lost its runtime.
        """
        while True:
            answer = messages.decode_answer(self._line())
            if isinstance(answer, messages.Lost):
                raise RuntimeLostError(answer.reason)
            if not isinstance(answer, messages.Step):
                return answer
            self._steps.append(answer.candidate)

    def _line(self) -> bytes:
        since, last = time.monotonic(), self.transport.status()
        while b"\n" not in self._buffer:
            received = self.transport.receive(_POLL_S)
            if received == b"":
                raise WorkerFailedError(self.transport.ending(), self._candidate())
            self._buffer += received or b""
            status = self.transport.status()
            if status != last:
                since, last = time.monotonic(), status
            allowed_s = self._timeout_s if status or self._steps else max(self._timeout_s, self._start_s)
            if received is None and time.monotonic() - since > allowed_s:
                raise WorkerFailedError(f"hung: one step took longer than {allowed_s:g} s", self._candidate())
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _candidate(self) -> int:
        """The running one: recorded in the shared file, else named by the last message."""
        fields = self.transport.status().split()
        return int(fields[0]) if fields else (self._steps[-1] if self._steps else -1)
