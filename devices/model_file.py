"""Reads an ONNX file and reports in one line what is wrong with it."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

from devices.external_data import check_external_data, external_names
from devices.graph_walk import all_graphs, undecodable_text, weight_names
from devices.model_limits import check_size
from devices.model_normal_form import normalise
from devices.model_validity import check_validity
from foundation.errors import UserError
from foundation.regular_file import MODEL_BYTES, RefusedFileError, open_regular, read_regular

if TYPE_CHECKING:
    import io

    import onnx

_RUNTIME_DOMAINS = frozenset({"com.microsoft", "com.microsoft.nchwc", "org.pytorch.aten", "com.ms.internal.nhwc"})
"""Domains outside the ONNX standard whose operators a runtime may know; the runtime decides."""
_IR_VERSION_TAG = b"\x08"
"""First byte of an ONNX file: the key of field 1, ``ir_version``, of ModelProto (onnx.proto)."""
_ANY_SIZE = sys.maxsize


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal.

    Raises:
        UserError: the file cannot be read.
    """
    try:
        with open_regular(path, limit=_ANY_SIZE) as file:
            return hashlib.file_digest(cast("io.BufferedReader", file), "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


def check_model(path: Path) -> onnx.ModelProto:
    """Reads and validates an ONNX model; weights kept in external files are checked but not loaded.

    What files write in several ways comes in one form; see ``devices.model_normal_form``.

    Raises:
        UserError: missing, no regular file, not ONNX, truncated, a text that is not UTF-8, too many nodes, external
            data missing or outside the model's folder, an operator that its opset does not have, no operators, no
            inputs, or otherwise invalid.
    """
    path = Path(path)
    model = read_model(path)
    normalise(model)
    check_size(f"model {path}", model)
    check_external_data(path, model)
    _check_operators(path, model)
    _check_inputs(path, model)
    check_validity(path, model)
    return model


def read_model(path: Path) -> onnx.ModelProto:
    """Reads an ONNX model as it is written; external weights are not loaded.

    Raises:
        UserError: missing, no regular file, not ONNX, truncated, or a text that is not UTF-8.
    """
    import onnx

    try:
        content = read_regular(path, limit=MODEL_BYTES)
    except OSError as error:
        raise _unreadable(path, error) from error
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except Exception as error:  # protobuf's DecodeError, whose home has moved between versions
        raise _damaged(path, content) from error
    if not model.HasField("graph") or not model.ir_version or not model.opset_import:
        raise _damaged(path, content)
    undecodable = undecodable_text(model)
    if undecodable:
        expected = "names and texts in UTF-8"
        raise UserError(f"model {path}", seen=undecodable, expected=expected, remedy="copy or export it again")
    return model


def external_files(path: Path) -> tuple[Path, ...]:
    """The files that hold the external weights of a model that ``check_model`` accepts.

    Raises:
        UserError: as ``read_model``.
    """
    return tuple(path.parent / name for name in external_names(read_model(path)))


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
    if isinstance(error, RefusedFileError):
        return UserError(
            "model file", seen=f"{path}, which {reason}", expected="a regular file of at most 2 GiB",
            remedy="name the ONNX file itself; weights above 2 GiB lie in external files",
        )  # fmt: skip
    return UserError(
        "model file", seen=f"{path} ({reason})", expected="a readable ONNX file", remedy="check its rights"
    )


def _damaged(path: Path, content: bytes) -> UserError:
    if content.startswith(_IR_VERSION_TAG):
        seen = f"{path} ({len(content)} bytes), which is truncated or damaged"
        return UserError("model file", seen=seen, expected="a complete ONNX file", remedy="copy or export it again")
    seen = f"{path}, which is {'empty' if not content else 'not ONNX'}"
    return UserError("model file", seen=seen, expected="an ONNX file", remedy="export the model to ONNX first")


def _check_operators(path: Path, model: onnx.ModelProto) -> None:
    from onnx import defs

    if not model.graph.node:
        expected = "a graph with at least one operator"
        raise UserError(f"model {path}", seen="no operators", expected=expected, remedy="export it again")

    opsets = {_domain(entry.domain): entry.version for entry in model.opset_import}
    newest = defs.onnx_opset_version()
    if opsets.get("", 1) > newest:
        expected = f"opset {newest} or older"
        raise UserError(
            f"model {path}", seen=f"opset {opsets['']}", expected=expected, remedy="export with an older opset"
        )
    functions = {(_domain(function.domain), function.name) for function in model.functions}
    for graph in all_graphs(model.graph):
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
    weights = weight_names(model.graph)
    if all(value.name in weights for value in model.graph.input):
        raise UserError(f"model {path}", seen="no inputs", expected="at least one", remedy="export it with its input")
