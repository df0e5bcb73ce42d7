"""ONNX models as TFLite files, by onnx2tf in an environment of its own (``converter_program.py``)."""

from __future__ import annotations

from pathlib import Path

from devices.backends.litert.installation import LiteRtConverter
from devices.backends.litert.signature import Signature
from devices.worker.environment_program import ConversionFailedError, convert_in_environment
from foundation.errors import UserError
from foundation.temporary_folder import TemporaryFolder

_MODULE = "devices.backends.litert.converter_program"


def convert(onnx: Path, target: Path) -> Signature:
    """Writes the model of ``onnx``, whose sizes are fixed, to ``target`` as TFLite file in float32.

    The file is run once and computes what ONNX Runtime computes; its inputs have the axes of the ONNX model. Returns
    how its outputs are laid out.

    Raises:
        UserError: the converter is not installed, refuses the model, crashes or hangs, or makes another net of it.
    """
    with TemporaryFolder() as temporary:
        document = temporary.path / "signature.json"
        try:
            convert_in_environment(LiteRtConverter(), _MODULE, onnx, target, document)
        except ConversionFailedError as error:
            raise UserError(
                f"model {onnx}",
                seen=str(error),
                expected="a model that onnx2tf can convert for LiteRT",
                remedy="replace the operator",
            ) from error
        return Signature.from_json(document.read_bytes())
