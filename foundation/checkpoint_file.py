"""The file of a checkpoint: safetensors, with a JSON document and a checksum over both in its metadata."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from foundation.regular_file import read_regular

SCHEMA = 2
_WITHOUT_CHECKSUM = 1
"""The schema of the first versions, whose files have no checksum; still read."""
_DOCUMENT, _CHECKSUM = "document", "sha256"
_HEADER = 8
"""Bytes that hold the length of the header (https://github.com/huggingface/safetensors#format)."""
_LIMIT = 2**31


def packed(tensors: Mapping[str, Tensor], document: Mapping[str, Any]) -> bytes:
    """The content of the file; the document states the schema."""
    text = json.dumps({"schema": SCHEMA, **document})
    contiguous = {key: value.cpu().contiguous() for key, value in tensors.items()}
    metadata = {_DOCUMENT: text, _CHECKSUM: _checksum(contiguous, text)}
    return safetensors.torch.save(contiguous, metadata)


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and document; a document of another schema comes without tensors.

    Raises:
        OSError: no regular file, or it cannot be read.
        ValueError: other content than the checksum says, or no checkpoint.
        LookupError, TypeError: no checkpoint.
    """
    content = read_regular(path, limit=_LIMIT)
    size = int.from_bytes(content[:_HEADER], "little")
    header = json.loads(content[_HEADER : _HEADER + size])
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    if not isinstance(metadata, dict):
        raise ValueError("no document")
    text = metadata[_DOCUMENT]
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("no document")
    if document.get("schema") not in (SCHEMA, _WITHOUT_CHECKSUM):
        return {}, document
    try:
        tensors: dict[str, Tensor] = safetensors.torch.load(content)
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    found = metadata.get(_CHECKSUM)
    if found != _checksum(tensors, text) and (found is not None or document["schema"] == SCHEMA):
        raise ValueError("it was damaged after it was written: its content is not what its checksum says")
    return tensors, document


def is_known(document: Mapping[str, Any]) -> bool:
    """Whether this version reads documents of this schema."""
    return document.get("schema") in (SCHEMA, _WITHOUT_CHECKSUM)


def _checksum(tensors: Mapping[str, Tensor], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu()
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
