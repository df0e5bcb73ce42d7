"""The files of a predictor: ``<name>.json`` names a safetensors file and its SHA-256 and is written last.

A reader that finds the JSON file therefore finds the tensors that belong to it, whenever the writer was interrupted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foundation.atomic_file import write_file
from foundation.checked_document import with_checksum, without_checksum
from foundation.errors import UserError
from foundation.regular_file import read_json, read_regular

SCHEMA = 6
"""Raised whenever older readers would misread a newer folder or the other way round."""
_WITHOUT_CHECKSUM = 5
"""The last schema whose documents have no checksum of their own; still read."""

TENSOR_BYTES = 2**30
Arrays = dict[str, NDArray[Any]]


def write_folder(folder: Path, name: str, document: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Writes ``<name>.json`` and its tensors; replaces what an earlier call wrote under the same name.

    Raises:
        UserError: the folder cannot be written.
    """
    from safetensors.numpy import save

    data = save({key: np.ascontiguousarray(array) for key, array in arrays.items()})
    digest = hashlib.sha256(data).hexdigest()
    tensors = f"{name}-{digest[:16]}.safetensors"
    full = {"schema": SCHEMA, "name": name, **document, "tensors": {"file": tensors, "sha256": digest}}
    _write(folder / tensors, data)
    write_json(folder / f"{name}.json", full)
    for stale in folder.glob(f"{name}-*.safetensors"):
        if stale.name != tensors:
            stale.unlink(missing_ok=True)


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Writes a JSON document and its checksum atomically.

    Raises:
        UserError: it cannot be written.
    """
    _write(path, json.dumps(with_checksum(document), indent=1).encode())


def read_checked(path: Path) -> dict[str, Any]:
    """The document that ``write_json`` wrote, without its checksum.

    Raises:
        OSError: it cannot be read.
        ValueError: not JSON, a number that is not finite, or other content than its checksum says.
    """
    document = read_json(path)
    # Documents of older versions have none.
    return without_checksum(document, required=isinstance(document, dict) and document.get("schema") == SCHEMA)


def read_folder(folder: Path, name: str) -> tuple[dict[str, Any], Arrays]:
    """Document and tensors that ``write_folder`` wrote.

    Raises:
        UserError: missing, corrupt, or of another schema.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    document = read_document(folder / f"{name}.json", name)
    try:
        entry = document["tensors"]
        data = read_regular(folder / Path(str(entry["file"])).name, limit=TENSOR_BYTES)
        if hashlib.sha256(data).hexdigest() != entry["sha256"]:
            raise corrupt(folder, "tensors that differ from their checksum")
        arrays = load(data)
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise corrupt(folder, "numbers that are not finite")
        return document, arrays
    except (OSError, KeyError, TypeError, SafetensorError) as error:
        raise corrupt(folder, f"{type(error).__name__}: {error}") from error


def read_document(path: Path, name: str) -> dict[str, Any]:
    """A JSON object with our schema and this name.

    Raises:
        UserError: missing, corrupt, or of another schema.
    """
    try:
        document = read_checked(path)
        schema, found = document["schema"], document["name"]
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(
            "predictor", seen=f"no {path}", expected="a folder written by a fit", remedy="run `latseg fit` first"
        ) from error
    except OSError as error:
        raise UserError(
            "predictor",
            seen=f"{path} ({error.strerror})",
            expected="a file that can be read",
            remedy="check the file and its rights",
        ) from error
    except (ValueError, KeyError) as error:
        raise corrupt(path, f"{error}") from error
    if schema not in (SCHEMA, _WITHOUT_CHECKSUM) or found != name:
        raise UserError(
            "predictor",
            seen=f"{found!r} of schema {schema} in {path}",
            expected=f"{name!r} of schema {SCHEMA}",
            remedy="fit it again with this version: `latseg fit`",
        )
    return document


def _write(path: Path, data: bytes) -> None:
    try:
        write_file(path, data)
    except OSError as error:
        raise UserError(
            "predictor file",
            seen=f"{path} ({error.strerror})",
            expected="a file that can be written",
            remedy="check the folder's rights and the space left on the disk",
        ) from error


def corrupt(path: Path, seen: str) -> UserError:
    """The error for files that were damaged after they were written."""
    return UserError(
        "predictor", seen=f"{seen} in {path}", expected="an undamaged predictor", remedy="run `latseg fit`"
    )
