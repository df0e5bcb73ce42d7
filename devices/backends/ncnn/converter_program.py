"""pnnx (https://github.com/pnnx/pnnx), the program that converts for ncnn; it comes as a Python package."""

from __future__ import annotations

import logging
import os
import subprocess
from importlib.util import find_spec
from pathlib import Path

from devices.device import Availability
from devices.worker.memory_limit import limit_memory

INSTALL = 'pip install "latseg[ncnn]"'
TIMEOUT_S = 120.0
"""A net of usual size takes less than a second."""
_logger = logging.getLogger(__name__)


class ConverterError(Exception):
    """pnnx fails; the text is the reason in one line."""


def converter_availability() -> Availability:
    """Whether pnnx is installed; it is not loaded."""
    if find_spec("pnnx") is None:
        return Availability(False, "pnnx is not installed", INSTALL)
    return Availability(True)


def run_converter(model: Path) -> None:
    """Converts an ONNX file ``NAME.onnx``, with weights in single precision.

    Beside it appear ``NAME.pnnx.param`` (pnnx's own text), ``NAME.ncnn.param``, ``NAME.ncnn.bin``, ``NAME_ncnn.py`` (a
    program that runs the net) and others. pnnx gets a limited time, and at most the memory that is free.

    Raises:
        ConverterError: pnnx fails.
    """
    spec = find_spec("pnnx")
    assert spec, "the device is available"
    code, text = _output([str(Path(spec.origin or "").with_name("pnnx")), model.name, "fp16=0"], model.parent)
    _logger.debug("pnnx, exit code %d: %s", code, text[-2000:])
    if code or not model.with_suffix(".ncnn.param").exists():
        last = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no message")
        raise ConverterError(f"exit code {code}: {last[:200]}")


def _output(command: list[str], folder: Path) -> tuple[int, str]:
    """Exit code and what was written to the two streams."""
    environment = {**os.environ, "ORT_DISABLE_TELEMETRY": "1"}  # the program contains ONNX Runtime
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace"
    ) as process:
        try:
            limit_memory(process.pid)
            text, _ = process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise ConverterError(f"not done in {TIMEOUT_S:g} s") from error
        finally:
            process.kill()
    return process.returncode, text
