"""Weights that lie in files beside the model (``external_data`` of TensorProto, onnx.proto)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from devices.graph_walk import all_tensors
from foundation.errors import UserError
from foundation.regular_file import open_regular

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True, slots=True)
class ExternalWeight:
    """The bytes of one weight in a file."""

    tensor: onnx.TensorProto
    path: Path
    offset: int
    length: int


def check_external_data(path: Path, model: onnx.ModelProto) -> None:
    """Checks that every external weight is there, without reading it.

    As in ONNX Runtime, a file and a model may be links (a cache keeps its files in another folder), but the file's real
    place must be inside the model's folder or inside the folder of the model's real place.

    Raises:
        UserError: an entry that is no place in a file, a file that is missing, no regular file, outside of these
            folders or too short, or a weight whose bytes do not fit its shape.
    """
    for _ in _external_weights(path, model):
        pass


def embed_external_data(path: Path, model: onnx.ModelProto, *, limit: int) -> None:
    """Reads the external weights of at most ``limit`` bytes each into the model, in place.

    Raises:
        UserError: see ``check_external_data``; a file that cannot be read.
    """
    for weight in _external_weights(path, model):
        if weight.length > limit:
            continue
        try:
            with open_regular(weight.path, limit=sys.maxsize) as file:
                file.seek(weight.offset)
                weight.tensor.raw_data = file.read(weight.length)
        except OSError as error:
            raise _refused(weight.tensor, f"{weight.path} ({error.strerror})", "a readable file") from error
        weight.tensor.ClearField("data_location")
        weight.tensor.ClearField("external_data")


def external_names(model: onnx.ModelProto) -> tuple[str, ...]:
    """Names of the files in which external weights lie, as the model has them: relative to its folder."""
    entries = [entry for tensor in all_tensors(model) if is_external(tensor) for entry in tensor.external_data]
    return tuple(sorted({entry.value for entry in entries if entry.key == "location"}))


def is_external(tensor: onnx.TensorProto) -> bool:
    """Whether the numbers of a weight lie in another file."""
    return tensor.data_location == type(tensor).EXTERNAL


def _external_weights(path: Path, model: onnx.ModelProto) -> Iterator[ExternalWeight]:
    folder = path.parent
    allowed = (folder.resolve(), path.resolve().parent)
    sizes: dict[Path, int] = {}
    for tensor in all_tensors(model):
        if is_external(tensor):
            yield _external_weight(tensor, folder, allowed, sizes)


def _external_weight(
    tensor: onnx.TensorProto, folder: Path, allowed: tuple[Path, ...], sizes: dict[Path, int]
) -> ExternalWeight:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    target = _target(tensor, entries.get("location", ""), folder, allowed)
    offset = _position(tensor, "offset", entries.get("offset"), 0)
    needed = _bytes_of(tensor)
    length = _position(tensor, "length", entries.get("length"), needed)
    if length != needed:
        raise _refused(tensor, f"a length of {length} bytes", f"{needed} bytes, as its shape needs")
    if target not in sizes:
        sizes[target] = _size(tensor, target, entries["location"], folder)
    if sizes[target] < offset + length:
        seen = f"{entries['location']!r} with {sizes[target]} bytes"
        raise _refused(tensor, seen, f"at least {offset + length} bytes", "copy the file again")
    return ExternalWeight(tensor, target, offset, length)


def _target(tensor: onnx.TensorProto, location: str, folder: Path, allowed: tuple[Path, ...]) -> Path:
    if not location or "\0" in location:
        raise _refused(tensor, f"the location {location!r}", f"the name of a file inside {folder}")
    try:
        target = (folder / location).resolve()
    except (OSError, RuntimeError) as error:
        raise _refused(tensor, f"{location!r} ({error})", f"a file in {folder}") from error
    if Path(location).is_absolute() or not any(target.is_relative_to(each) for each in allowed):
        raise _refused(tensor, repr(location), f"a file inside {allowed[0]}", "move it beside the model")
    return target


def _size(tensor: onnx.TensorProto, target: Path, location: str, folder: Path) -> int:
    try:
        with open_regular(target, limit=sys.maxsize) as file:
            return file.seek(0, 2)
    except FileNotFoundError as error:
        raise _refused(tensor, f"{location!r}, which is missing", f"a file in {folder}", "copy it there") from error
    except OSError as error:
        raise _refused(tensor, f"{location!r} ({error.strerror})", "a regular file that can be read") from error


def _position(tensor: onnx.TensorProto, what: str, text: str | None, default: int) -> int:
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise _refused(tensor, f"the {what} {text[:40]!r}", "a whole number of bytes, not negative")
    return int(text)


def _bytes_of(tensor: onnx.TensorProto) -> int:
    from onnx import TensorProto, helper

    numbers = int(prod(tensor.dims))
    kind = tensor.data_type
    if kind not in helper.get_all_tensor_dtypes() or kind == TensorProto.STRING or min(tensor.dims, default=0) < 0:
        raise _refused(tensor, f"element type {kind} and shape {list(tensor.dims)}", "numbers and sides of 0 or more")
    name = TensorProto.DataType.Name(kind)
    bits = 4 if name.endswith("INT4") or name.startswith("FLOAT4") else 2 if name.endswith("INT2") else None
    return -(-numbers * bits // 8) if bits else numbers * int(helper.tensor_dtype_to_np_dtype(kind).itemsize)


def _refused(tensor: onnx.TensorProto, seen: str, expected: str, remedy: str = "export the model again") -> UserError:
    return UserError(f"external data of weight {tensor.name!r}", seen=seen, expected=expected, remedy=remedy)
