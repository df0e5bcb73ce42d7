"""ONNX models as TFLite files, by onnx2tf in an environment of its own (``converter_program.py``)."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from devices.backends.litert.installation import LiteRtConverter
from devices.backends.litert.signature import Signature
from devices.external_data import embed_external_data
from devices.graph_walk import without_functions
from devices.listed_weights import drop_listed_weights
from devices.model_file import read_model
from devices.model_inputs import model_inputs, random_inputs
from devices.worker.memory_limit import limit_memory
from devices.worker.messages import write_arrays
from devices.worker.transport import described, worker_environment
from foundation.errors import UserError
from foundation.regular_file import MODEL_BYTES
from foundation.temporary_folder import TemporaryFolder

_TIMEOUT_S = 300.0
"""A net of usual size takes about a second."""
_MODULE = "devices.backends.litert.converter_program"


def convert(onnx: Path, target: Path) -> Signature:
    """Writes the model of ``onnx``, whose sizes are fixed, to ``target`` as TFLite file in float32.

    The file is run once and computes what ONNX Runtime computes; its inputs have the axes of the ONNX model. Returns
    how its outputs are laid out.

    Raises:
        UserError: the converter is not installed, refuses the model, crashes or hangs, or makes another net of it.
    """
    converter = LiteRtConverter()
    converter.require()
    with TemporaryFolder() as temporary, TemporaryFile() as printed:
        model, feeds = _prepared(onnx, temporary.path)
        document = temporary.path / "signature.json"
        command = [str(each) for each in (converter.python, "-P", "-m", _MODULE, model, feeds, target, document)]
        try:
            code = _ended(command, printed, temporary.path)
        except subprocess.TimeoutExpired as error:
            raise _refused(onnx, f"a converter that was not done after {_TIMEOUT_S:g} s") from error
        printed.seek(0)
        lines = printed.read().decode(errors="replace").split("\n")
        if code:
            last = next((line.strip() for line in reversed(lines) if line.strip()), "no reason")
            raise _refused(onnx, last[:400] if code > 0 else described(code))
        return Signature.from_json(document.read_bytes())


def _ended(command: Sequence[str], printed: IO[bytes], folder: Path) -> int:
    """Runs the converter with at most the memory that is free; its exit code. What it prints goes to ``printed``."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=printed,
        env=worker_environment(folder, own=False),
    ) as process:
        try:
            limit_memory(process.pid)
            return process.wait(_TIMEOUT_S)
        finally:
            process.kill()


def _prepared(onnx: Path, folder: Path) -> tuple[Path, Path]:
    """The model in one file, and random inputs for it."""
    model = without_functions(read_model(onnx))
    drop_listed_weights(model.graph)  # onnx2tf takes them for inputs
    inputs = model_inputs(model, ())
    if any(each.dtype == "object" for each in inputs):
        raise _refused(onnx, "an input of text")
    embed_external_data(onnx, model, limit=MODEL_BYTES)
    path, feeds = folder / "model.onnx", folder / "feeds.npz"
    try:
        path.write_bytes(model.SerializeToString())
    except Exception as error:  # protobuf's EncodeError, whose home has moved between versions
        raise _refused(onnx, "more than 2 GiB") from error
    write_arrays(feeds, list(random_inputs(inputs).values()))
    return path, feeds


def _refused(onnx: Path, seen: str) -> UserError:
    return UserError(
        f"model {onnx}",
        seen=seen,
        expected="a model that onnx2tf can convert for LiteRT",
        remedy="replace the operator",
    )
