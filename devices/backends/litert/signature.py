"""What a TFLite file of ours says of the ONNX model: names, shapes and layout of its inputs and outputs.

It lies in the metadata of the file. TFLite has an order of outputs of its own, and onnx2tf writes scalars as vectors of
one number and pictures with their channels last.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from devices.model_inputs import Shape
from devices.worker.runtime import Array, ModelFailedError, one_line
from foundation.regular_file import MODEL_BYTES, read_regular

_NAME = b"latseg.signature"
_FILE_IDENTIFIER = b"TFL3"


@dataclass(frozen=True, slots=True)
class Output:
    """An output of the ONNX model; ``channels_last`` says that the file has its second axis behind the others."""

    name: str
    shape: Shape
    channels_last: bool

    def restored(self, value: Array) -> Array:
        """The file's output with the axes and the shape of the ONNX model.

        Raises:
            ModelFailedError: it has another size, since it depends on the values of the inputs.
        """
        if value.size != prod(self.shape):
            sizes = [" x ".join(map(str, shape)) or "one number" for shape in (value.shape, self.shape)]
            raise ModelFailedError(
                f"the output {self.name!r} is {sizes[0]}; for the input at conversion it was {sizes[1]}"
            )
        return (np.moveaxis(value, -1, 1) if self.channels_last else value).reshape(self.shape)


@dataclass(frozen=True, slots=True)
class Signature:
    """Inputs and outputs in the order of the ONNX model."""

    inputs: tuple[tuple[str, Shape], ...]
    outputs: tuple[Output, ...]

    def to_json(self) -> bytes:
        """The inverse of ``from_json``."""
        from pydantic import TypeAdapter

        return TypeAdapter(Signature).dump_json(self)

    @staticmethod
    def from_json(content: bytes) -> Signature:
        """Reads what ``to_json`` wrote.

        Raises:
            ValueError: it is something else.
        """
        from pydantic import TypeAdapter

        return TypeAdapter(Signature).validate_json(content)


def with_signature(content: bytes, signature: Signature) -> bytes:
    """The TFLite file with this signature as its only metadata.

    What onnx2tf writes there is left out: it allows half precision, on processors that have it.
    """
    from ai_edge_litert import schema_py_generated as schema
    from flatbuffers import Builder

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    buffer, metadata = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(signature.to_json(), np.uint8)
    metadata.name, metadata.buffer = _NAME, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [metadata]
    builder = Builder(len(content))
    builder.Finish(model.Pack(builder), _FILE_IDENTIFIER)
    return bytes(builder.Output())


def read_signature(path: Path) -> Signature | None:
    """Of a file that LiteRT has loaded; None where it is no file of ours.

    Raises:
        ModelFailedError: the metadata hold something else.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(read_regular(path, limit=MODEL_BYTES), 0)
    try:
        texts = {entry.Name(): entry.Buffer() for entry in map(model.Metadata, range(model.MetadataLength()))}
        if _NAME not in texts:
            return None
        return Signature.from_json(model.Buffers(texts[_NAME]).DataAsNumpy().tobytes())
    except Exception as error:  # what a damaged FlatBuffer raises depends on where it is damaged
        raise ModelFailedError(f"its metadata are no signature: {one_line(error)}") from error
