"""The parent's side of inference: a worker process that holds one loaded model."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path

from devices.protocol import MeasurementProtocol
from devices.worker import messages
from devices.worker.client import WorkerClient, WorkerFailedError
from devices.worker.runtime import Array, InputShapes, ModelFailedError
from foundation.errors import DeviceUnavailableError, UserError
from foundation.temporary_folder import TemporaryFolder

_logger = logging.getLogger(__name__)
INFERENCE_TIMEOUT_S = MeasurementProtocol().timeout_s


class InferenceProcess:
    """Runs models on a runtime in a process of its own, which a crash of the runtime ends without other harm.

    The process ends with this object. Every method but ``close`` may raise ``ConnectionLostError`` where the way to the
    process breaks or it loses its runtime, and ``DeviceUnavailableError`` where it does not start.
    """

    def __init__(self, worker: WorkerClient, timeout_s: float = INFERENCE_TIMEOUT_S) -> None:
        self._worker = worker
        self._timeout_s = timeout_s
        self._folder = TemporaryFolder()
        self._end = weakref.finalize(self, _end, self._worker, self._folder)
        self.inputs: InputShapes = ()
        """Of the loaded model."""
        self.load_ms = 0.0
        """What loading it took in the worker."""
        self.peak_memory_bytes: int | None = None
        """Of the worker, until the last inference."""
        self._held: tuple[Path, int] | None = None

    def holds(self, path: Path) -> bool:
        """Whether this file, unchanged, is the loaded model."""
        return self._held is not None and self._held == _state(path)

    def load(self, path: Path, converted: Path, parts: Sequence[Path] = ()) -> None:
        """Loads ``converted``, the model of ``path`` in the runtime's format, in the place of the previous one.

        ``parts`` are read together with it.

        Raises:
            ModelFailedError: the runtime refuses it, crashes or hangs.
        """
        self._held = None
        state = _state(path)
        answer = self._request(messages.Load(self._worker.transport.put(converted, parts), self._timeout_s))
        assert isinstance(answer, messages.Loaded)
        self.inputs, self.load_ms, self._held = answer.inputs, answer.load_ms, state
        _logger.debug("loaded %s for inference", path)

    def infer(self, inputs: Mapping[str, Array]) -> list[Array]:
        """One inference of the loaded model; outputs in its order.

        Raises:
            UserError: an input is missing, unknown, or of another shape.
            ModelFailedError: the runtime fails, crashes or hangs.
        """
        _check_feeds(inputs, self.inputs)
        feeds = self._put(inputs)
        outputs = f"{feeds}.outputs"
        answer = self._request(messages.Infer(list(inputs), feeds, outputs, self._timeout_s))
        assert isinstance(answer, messages.Done)
        self.peak_memory_bytes = answer.peak_memory_bytes
        arrays = messages.read_arrays(self._worker.transport.get(outputs))
        self._worker.transport.discard(feeds)
        return arrays

    def compile(self, path: Path, inputs: Mapping[str, Array], artifact: Path) -> tuple[str, ...]:
        """Compiles a model in a worker of this machine; it is loaded then. The compute unit of each of its nodes.

        Raises:
            ModelFailedError: the compiler refuses it, crashes or hangs.
        """
        self._held = None
        state = _state(path)
        put, feeds = self._worker.transport.put, self._put(inputs)
        answer = self._request(messages.Compile(put(path), list(inputs), feeds, put(artifact), self._timeout_s))
        assert isinstance(answer, messages.Compiled)
        self.inputs, self._held = answer.inputs, state
        return answer.units

    def close(self) -> None:
        """Ends the process."""
        self._end()

    def _put(self, inputs: Mapping[str, Array]) -> str:
        local = self._folder.path / "feeds.npz"
        messages.write_arrays(local, list(inputs.values()))
        return self._worker.transport.put(local)

    def _request(self, request: messages.Load | messages.Infer | messages.Compile) -> messages.Answer:
        try:
            self._worker.send(request)
            answer = self._worker.receive()
        except WorkerFailedError as failure:
            if failure.candidate < 0:
                raise _not_started(failure) from failure
            raise ModelFailedError(failure.reason) from failure
        if isinstance(answer, messages.Failed):
            raise ModelFailedError(answer.reason)
        return answer


def _not_started(failure: WorkerFailedError) -> DeviceUnavailableError:
    return DeviceUnavailableError(
        "the runtime's process", seen=failure.reason, expected="one that starts",
        remedy="repeat the command, or reinstall the runtime",
    )  # fmt: skip


def _check_feeds(feeds: Mapping[str, Array], expected: InputShapes) -> None:
    names = [name for name, _ in expected]
    for name in sorted(set(names) ^ set(feeds)):
        remedy = f"feed exactly {', '.join(names)}"
        raise UserError(
            f"input {name!r}", seen="nothing" if name in names else "a value", expected=remedy, remedy=remedy
        )
    for name, shape in expected:
        seen = feeds[name].shape
        fits = len(seen) == len(shape) and all(size in (None, got) for size, got in zip(shape, seen, strict=True))
        if not fits:
            wanted = "x".join("?" if size is None else str(size) for size in shape)
            raise UserError(
                f"shape of input {name!r}", seen="x".join(map(str, seen)), expected=wanted, remedy="resize the input"
            )


def _state(path: Path) -> tuple[Path, int]:
    return path.resolve(), path.stat().st_mtime_ns if path.exists() else 0


def _end(worker: WorkerClient, folder: TemporaryFolder) -> None:
    worker.transport.kill()
    folder.close()
