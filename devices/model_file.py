"""Reads an ONNX file and reports in one line what is wrong with it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.errors import UserError

if TYPE_CHECKING:
    import onnx

_RUNTIME_DOMAINS = frozenset({"com.microsoft", "com.microsoft.nchwc", "org.pytorch.aten", "com.ms.internal.nhwc"})
"""Domains outside the ONNX standard whose operators a runtime may know; the runtime decides."""
_IR_VERSION_TAG = b"\x08"
"""First byte of an ONNX file: the key of field 1, ``ir_version``, of ModelProto (onnx.proto)."""


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal.

    Raises:
        UserError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


def check_model(path: Path) -> onnx.ModelProto:
    """Reads and validates an ONNX model; weights kept in external files are checked but not loaded.

    Raises:
        UserError: missing, a directory, not ONNX, truncated, external data missing or outside the model's folder,
            an operator that its opset does not have, no inputs, or otherwise invalid.
    """
    path = Path(path)
    model = _parse(path)
    _check_external_data(path, model)
    _check_operators(path, model)
    _check_inputs(path, model)
    _check_validity(path, model)
    return model


def _unreadable(path: Path, error: OSError) -> UserError:
    if path.is_dir():
        return UserError(
            "model file", seen=f"the directory {path}", expected="an ONNX file", remedy="name the file in it"
        )
    if isinstance(error, FileNotFoundError):
        return UserError(
            "model file", seen=f"{path}, which does not exist", expected="an ONNX file", remedy="check path"
        )
    reason = error.strerror or str(error)
    return UserError(
        "model file", seen=f"{path} ({reason})", expected="a readable ONNX file", remedy="check its rights"
    )


def _parse(path: Path) -> onnx.ModelProto:
    import onnx

    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except Exception as error:  # protobuf's DecodeError, whose home has moved between versions
        raise _damaged(path, content) from error
    if not model.HasField("graph") or not model.ir_version or not model.opset_import or not model.graph.node:
        raise _damaged(path, content)
    return model


def _damaged(path: Path, content: bytes) -> UserError:
    if content.startswith(_IR_VERSION_TAG):
        seen = f"{path} ({len(content)} bytes), which is truncated or damaged"
        return UserError("model file", seen=seen, expected="a complete ONNX file", remedy="copy or export it again")
    seen = f"{path}, which is {'empty' if not content else 'not ONNX'}"
    return UserError("model file", seen=seen, expected="an ONNX file", remedy="export the model to ONNX first")


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """The graph and the bodies of its If, Loop and Scan nodes."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                if body.node:
                    yield from _graphs(body)


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    for graph in _graphs(model.graph):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
        for node in graph.node:
            for attribute in node.attribute:
                yield from (attribute.t, *attribute.tensors)


def _check_external_data(path: Path, model: onnx.ModelProto) -> None:
    import onnx

    folder = path.parent.resolve()
    for tensor in _tensors(model):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        what = f"external data of weight {tensor.name!r}"
        target = (folder / location).resolve()
        if not location or not target.is_relative_to(folder):
            raise UserError(
                what, seen=repr(location), expected=f"a file inside {folder}", remedy="move it beside the model"
            )
        if not target.is_file():
            raise UserError(
                what, seen=f"{location!r}, which is missing", expected=f"a file in {folder}", remedy="copy it there"
            )
        needed = _integer(entries.get("offset")) + _integer(entries.get("length"))
        if target.stat().st_size < needed:
            seen = f"{location!r} with {target.stat().st_size} bytes"
            raise UserError(what, seen=seen, expected=f"at least {needed} bytes", remedy="copy the file again")


def _integer(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0


def _check_operators(path: Path, model: onnx.ModelProto) -> None:
    from onnx import defs

    opsets = {_domain(entry.domain): entry.version for entry in model.opset_import}
    newest = defs.onnx_opset_version()
    if opsets.get("", 1) > newest:
        expected = f"opset {newest} or older"
        raise UserError(
            f"model {path}", seen=f"opset {opsets['']}", expected=expected, remedy="export with an older opset"
        )
    functions = {(_domain(function.domain), function.name) for function in model.functions}
    for graph in _graphs(model.graph):
        for node in graph.node:
            domain = _domain(node.domain)
            if domain not in _RUNTIME_DOMAINS and (domain, node.op_type) not in functions:
                _check_operator(path, node.op_type, domain, opsets.get(domain, 1))


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


def _check_operator(path: Path, kind: str, domain: str, opset: int) -> None:
    from onnx import defs

    try:
        deprecated = defs.get_schema(kind, opset, domain).deprecated
    except defs.SchemaError:
        deprecated = True
    if deprecated:
        name = f"{domain}::{kind}" if domain else kind
        expected = f"an operator of {domain or 'ONNX'} opset {opset}"
        raise UserError(f"model {path}", seen=f"the unknown operator {name}", expected=expected, remedy="replace it")


def _check_inputs(path: Path, model: onnx.ModelProto) -> None:
    from devices.model_inputs import data_inputs

    if not data_inputs(model.graph):
        raise UserError(f"model {path}", seen="no inputs", expected="at least one", remedy="export it with its input")


def _check_validity(path: Path, model: onnx.ModelProto) -> None:
    import onnx

    external = any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in _tensors(model))
    try:
        onnx.checker.check_model(str(path) if external else model)
    except (onnx.checker.ValidationError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"model {path}", seen=reason, expected="a valid ONNX model", remedy="export it again"
        ) from error
