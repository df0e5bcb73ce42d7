"""What a converted net no longer says itself: names, dimensions and batch axes of its inputs and outputs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from devices.worker.runtime import InputShapes, ModelFailedError, one_line
from foundation.regular_file import DOCUMENT_BYTES, read_regular

SUFFIX = ".json"
"""The file ``model.ncnn.json`` lies beside ``model.ncnn.param`` and ``model.ncnn.bin``."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Inputs and outputs of a net whose blobs are called ``in0``, ``in1``, ..., ``out0``, ..."""

    inputs: InputShapes
    """Of the ONNX model, in its order."""
    outputs: tuple[str, ...]
    """Names in the ONNX model, in its order."""
    input_batches: tuple[int, ...]
    """By input: the axis of the ONNX tensor that counts pictures, ncnn's ``batch_index``; 233 where there is none."""
    output_batches: tuple[int, ...]
    """As ``input_batches``."""

    def __post_init__(self) -> None:
        if (len(self.inputs), len(self.outputs)) != (len(self.input_batches), len(self.output_batches)):
            raise ValueError("not one batch axis for each input and output")


def write_signature(param: Path, signature: Signature) -> None:
    """Writes the file beside ``param``."""
    from pydantic import TypeAdapter

    param.with_suffix(SUFFIX).write_bytes(TypeAdapter(Signature).dump_json(signature, indent=1))


def read_signature(param: Path) -> Signature:
    """Reads the file beside ``param``.

    Raises:
        ModelFailedError: it is missing or holds something else.
    """
    from pydantic import TypeAdapter

    path = param.with_suffix(SUFFIX)
    try:
        return TypeAdapter(Signature).validate_json(read_regular(path, limit=DOCUMENT_BYTES))
    except (OSError, ValueError) as error:
        raise ModelFailedError(f"{path.name} is no signature of a converted net: {one_line(error)}") from error
