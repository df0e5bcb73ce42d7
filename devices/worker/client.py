"""The parent's side of a worker process."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import devices
from devices.worker.messages import Message, decode, encode

_POLL_S = 0.5
_START_S = 60.0
"""Importing a runtime on a busy machine may take long; no candidate is to blame for it."""
_ROOT = Path(devices.__file__).parent.parent


class WorkerFailedError(Exception):
    """The worker crashed, hung or was killed; ``candidate`` was in hand, negative where none was."""

    def __init__(self, reason: str, candidate: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.candidate = candidate


class WorkerClient:
    """A worker process, killed on leaving the context.

    Args:
        runtime: ``module:class`` of the ``Runtime`` that the worker opens sessions with.
        threads: threads of the runtime.
        timeout_s: a step that takes longer has hung.
    """

    def __init__(self, runtime: str, threads: int, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._ledger = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        request_read, self._requests = os.pipe()
        self._answers, answer_write = os.pipe()
        descriptors = (request_read, answer_write, self._ledger.fileno())
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "devices.worker.main", runtime, str(threads), *map(str, descriptors)],
            pass_fds=descriptors,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            env=_environment(),
        )
        os.close(request_read)
        os.close(answer_write)
        self._buffer = b""

    @property
    def pid(self) -> int:
        """Of the worker process."""
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        for descriptor in (self._requests, self._answers):
            os.close(descriptor)
        self._ledger.close()
        self._errors.close()

    def send(self, message: Message) -> None:
        """Writes one request.

        Raises:
            WorkerFailedError: the worker is gone.
        """
        content = memoryview(encode(message))
        try:
            while content:
                content = content[os.write(self._requests, content) :]
        except BrokenPipeError as error:
            raise self._crash() from error

    def receive(self) -> Message:
        """Waits for one answer.

        Raises:
            WorkerFailedError: the worker crashed, or a step takes longer than the timeout.
        """
        since, last = time.monotonic(), self._note()
        while b"\n" not in self._buffer:
            if select.select([self._answers], [], [], _POLL_S)[0]:
                received = os.read(self._answers, 1 << 20)
                if not received:
                    raise self._crash()
                self._buffer += received
                continue
            note = self._note()
            if note != last:
                since, last = time.monotonic(), note
            allowed = self._timeout_s if note else max(self._timeout_s, _START_S)
            if time.monotonic() - since > allowed:
                raise WorkerFailedError(f"hung: one step took longer than {allowed:g} s", self._candidate())
        line, _, self._buffer = self._buffer.partition(b"\n")
        return decode(line)

    def _note(self) -> bytes:
        return os.pread(self._ledger.fileno(), 64, 0)

    def _candidate(self) -> int:
        fields = self._note().split()
        return int(fields[0]) if fields else -1

    def _crash(self) -> WorkerFailedError:
        try:
            code = self._process.wait(timeout=_POLL_S * 10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        return WorkerFailedError(f"{_ending(code)}{self._last_words()}", self._candidate())

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").split("\n")
        words = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f": {words[:300]}" if words else ""


def _ending(code: int) -> str:
    if code == -signal.SIGKILL:
        return "killed, probably out of memory"
    if code < 0:
        return f"crashed with {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


def _environment() -> dict[str, str]:
    """Our own packages can be imported whatever the working directory is (``-P`` keeps it off the path)."""
    path = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{_ROOT}{os.pathsep}{path}" if path else str(_ROOT)}
