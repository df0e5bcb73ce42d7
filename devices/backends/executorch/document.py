"""What a compiled net no longer says itself, in a file beside it: its inputs, and which nodes its operators were."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from devices.model_inputs import Shape
from devices.worker.runtime import ModelFailedError, one_line
from foundation.regular_file import DOCUMENT_BYTES, read_regular

SUFFIX = ".json"


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator of the compiled net."""

    kind: str
    """As TFLite calls it, such as ``CONV_2D``, where XNNPACK has kernels for it."""
    node: int | None
    """Position of the ONNX node that it comes from; None for one that the compiler inserted."""


@dataclass(frozen=True, slots=True)
class Step:
    """An instruction: one operator, or all operators that XNNPACK takes at once."""

    delegated: bool
    operators: tuple[Operator, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """Inputs in the order of the ONNX model; instructions in the order of execution."""

    inputs: tuple[tuple[str, Shape], ...]
    steps: tuple[Step, ...]


def write_document(net: Path, document: Document) -> None:
    """Writes the file beside ``net``."""
    from pydantic import TypeAdapter

    net.with_suffix(SUFFIX).write_bytes(TypeAdapter(Document).dump_json(document))


def read_document(net: Path) -> Document:
    """Reads the file beside ``net``.

    Raises:
        ModelFailedError: it is missing or holds something else.
    """
    from pydantic import TypeAdapter

    path = net.with_suffix(SUFFIX)
    try:
        return TypeAdapter(Document).validate_json(read_regular(path, limit=DOCUMENT_BYTES))
    except (OSError, ValueError) as error:
        raise ModelFailedError(f"{path.name} does not describe a compiled net: {one_line(error)}") from error
