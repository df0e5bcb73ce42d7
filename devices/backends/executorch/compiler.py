"""ONNX models as programs of ExecuTorch, compiled in its environment (``compiler_program.py``)."""

from __future__ import annotations

from pathlib import Path

from devices.backends.executorch.installation import ExecuTorchEnvironment
from devices.worker.environment_program import ConversionFailedError, convert_in_environment
from foundation.errors import UserError

_MODULE = "devices.backends.executorch.compiler_program"


def convert(onnx: Path, target: Path) -> None:
    """Writes the model of ``onnx``, whose sizes are fixed, to ``target``, and beside it its ``Document``.

    Raises:
        UserError: ExecuTorch is not installed, refuses the model, crashes or hangs.
    """
    try:
        convert_in_environment(ExecuTorchEnvironment(), _MODULE, onnx, target)
    except ConversionFailedError as error:
        raise UserError(
            f"model {onnx}",
            seen=str(error),
            expected="a model that ExecuTorch can compile",
            remedy="replace the operator",
        ) from error
