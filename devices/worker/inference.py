"""The parent's side of inference: a worker process that holds one loaded model."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.protocol import MeasurementProtocol
from devices.worker.array_files import read_arrays, write_arrays
from devices.worker.client import WorkerClient, WorkerFailedError
from devices.worker.feeding import checked_feeds
from devices.worker.messages import Message
from devices.worker.session import SessionError

_PROTOCOL = MeasurementProtocol()


class InferenceProcess:
    """Runs models on a runtime in a process of its own, so that a runtime that crashes takes nothing with it.

    The process ends with this object. Args as for ``WorkerClient``.
    """

    def __init__(self, runtime: str, threads: int) -> None:
        self._worker = WorkerClient(runtime, threads, _PROTOCOL.timeout_s)
        self._folder = tempfile.TemporaryDirectory()
        self._end = weakref.finalize(self, _end, self._worker, self._folder)
        self._inputs: list[tuple[str, list[int | None]]] = []
        self._held: tuple[Path, int] | None = None

    def holds(self, path: Path) -> bool:
        """Whether this file, unchanged, is the loaded model."""
        return self._held is not None and self._held == _state(path)

    def load(self, path: Path) -> None:
        """Loads a model in the place of the one before.

        Raises:
            SessionError: the runtime refuses it, crashes or hangs.
        """
        self._held = None
        state = _state(path)
        self._inputs = self._ask({"command": "load", "path": str(path.resolve())})["inputs"]
        self._held = state

    def infer(self, inputs: Mapping[str, NDArray[np.generic]]) -> list[NDArray[np.generic]]:
        """One inference of the loaded model; outputs in its order.

        Raises:
            UserError: an input is missing, unknown, or of another shape.
            SessionError: the runtime fails, crashes or hangs.
        """
        feeds = checked_feeds(inputs, self._inputs)
        inward, outward = Path(self._folder.name, "feeds.npz"), Path(self._folder.name, "outputs.npz")
        write_arrays(inward, list(feeds.values()))
        self._ask({"command": "infer", "names": list(feeds), "feeds": str(inward), "outputs": str(outward)})
        return read_arrays(outward)

    def close(self) -> None:
        """Ends the process."""
        self._end()

    def _ask(self, request: dict[str, Any]) -> Message:
        try:
            self._worker.send({**request, "protocol": asdict(_PROTOCOL)})
            answer = self._worker.receive()
        except WorkerFailedError as failure:
            raise SessionError(failure.reason) from failure
        if answer["event"] == "failed":
            raise SessionError(answer["reason"])
        return answer


def _state(path: Path) -> tuple[Path, int]:
    return path.resolve(), path.stat().st_mtime_ns if path.exists() else 0


def _end(worker: WorkerClient, folder: tempfile.TemporaryDirectory[str]) -> None:
    worker.__exit__(None, None, None)
    folder.cleanup()
