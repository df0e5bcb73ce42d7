"""Converters that are programs of ours in another environment: a model and inputs for it go in, files come out."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from devices.external_data import embed_external_data
from devices.graph_walk import without_functions
from devices.installations.python_environment import PythonEnvironment
from devices.listed_weights import drop_listed_weights
from devices.model_file import read_model
from devices.model_inputs import model_inputs, random_inputs
from devices.worker.lifeline import end_group_with_the_other_side
from devices.worker.memory_limit import limit_memory
from devices.worker.messages import write_arrays
from devices.worker.transport import described, last_line, worker_environment
from foundation.regular_file import MODEL_BYTES
from foundation.temporary_folder import TemporaryFolder

_TIMEOUT_S = 300.0
"""A net of usual size takes some seconds."""


class ConversionFailedError(Exception):
    """A converter refuses a model, crashes or hangs; the text is the reason in one line."""


def convert_in_environment(environment: PythonEnvironment, module: str, onnx: Path, *targets: Path) -> None:
    """Runs ``python -m MODULE MODEL.onnx FEEDS.npz TARGET...`` in ``environment``, with the memory that is free.

    MODEL.onnx is one file without functions and without weights among its inputs; FEEDS.npz has a random value for each
    input. The program writes the targets, or ends with another exit code than 0 and the reason as its last line on
    stderr.

    Raises:
        UserError: the environment is not installed, or a size of the model is not fixed.
        ConversionFailedError: the program failed.
    """
    environment.require()
    with TemporaryFolder() as temporary, TemporaryFile() as printed:
        files = (*_prepared(onnx, temporary.path), *targets)
        try:
            code = _ended(
                [str(each) for each in (environment.python, "-P", "-m", module, *files)], printed, temporary.path
            )
        except subprocess.TimeoutExpired as error:
            raise ConversionFailedError(f"a converter that was not done after {_TIMEOUT_S:g} s") from error
        if code:
            raise ConversionFailedError((last_line(printed) or "no reason") if code > 0 else described(code))


def _ended(command: Sequence[str], printed: IO[bytes], folder: Path) -> int:
    """The program's exit code; what it prints on stderr goes to ``printed``. What it started ends with it."""
    with (
        _lifeline() as reading_end,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=printed,
            env=worker_environment(folder, own=False),
            pass_fds=[reading_end],
            start_new_session=True,
        ) as process,
    ):
        try:
            end_group_with_the_other_side(reading_end, process.pid)
            limit_memory(process.pid)
            return process.wait(_TIMEOUT_S)
        finally:
            with suppress(ProcessLookupError):  # nothing of it is left
                os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def _lifeline() -> Iterator[int]:
    """The reading end of a pipe whose other end is open until the context or this process ends."""
    ends = os.pipe()
    try:
        yield ends[0]
    finally:
        for each in ends:
            os.close(each)


def _prepared(onnx: Path, folder: Path) -> tuple[Path, Path]:
    model = without_functions(read_model(onnx))
    drop_listed_weights(model.graph)  # converters take them for inputs
    inputs = model_inputs(model, ())
    if any(each.dtype == "object" for each in inputs):
        raise ConversionFailedError("an input of text")
    embed_external_data(onnx, model, limit=MODEL_BYTES)
    path, feeds = folder / "model.onnx", folder / "feeds.npz"
    try:
        path.write_bytes(model.SerializeToString())
    except Exception as error:  # protobuf's EncodeError, whose home has moved between versions
        raise ConversionFailedError("more than 2 GiB") from error
    write_arrays(feeds, list(random_inputs(inputs).values()))
    return path, feeds
