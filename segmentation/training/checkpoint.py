"""Tensors and a JSON document in one safetensors file, replaced as a whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor, nn

from foundation.atomic_file import write_file
from foundation.errors import UserError

SCHEMA = 1
WEIGHTS = "weights."
"""Prefix of the weights that are to be used: those of the moving average."""
_DOCUMENT = "document"


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], document: Mapping[str, Any]) -> None:
    """Writes the file next to its place and then moves it there; an older one stays whole until then.

    Raises:
        UserError: the file cannot be written, e.g. because the disk is full.
    """
    metadata = {_DOCUMENT: json.dumps({"schema": SCHEMA, **document})}
    content = safetensors.torch.save({key: value.contiguous() for key, value in tensors.items()}, metadata)
    try:
        write_file(path, content)
    except OSError as error:
        raise UserError(
            "checkpoint", seen=f"cannot write {path} ({error.strerror or error})",
            expected=f"a folder with {len(content)} bytes to spare",
            remedy="make room and resume: the checkpoint before is whole",
        ) from error  # fmt: skip


def load_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Reads what ``save_checkpoint`` wrote: tensors and document.

    Raises:
        UserError: missing, cut off, not a checkpoint, or of a newer schema.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            document = json.loads((file.metadata() or {})[_DOCUMENT])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  (not a mapping)
    except FileNotFoundError as error:
        raise _unreadable(f"no file {path}") from error
    except (safetensors.SafetensorError, OSError, KeyError, ValueError) as error:
        raise _unreadable(f"unreadable {path} ({error})") from error
    if document.get("schema") != SCHEMA:
        raise UserError(
            "checkpoint", seen=f"schema {document.get('schema')} in {path}", expected=f"schema {SCHEMA}",
            remedy="use the version of latseg that wrote it, or train anew",
        )  # fmt: skip
    return tensors, document


def load_weights(network: nn.Module, path: Path) -> dict[str, Any]:
    """Puts the weights of a checkpoint into ``network`` and gives the checkpoint's document.

    Raises:
        UserError: as ``load_checkpoint``, or the checkpoint is of another net.
    """
    tensors, document = load_checkpoint(path)
    put_state(network, tensors, WEIGHTS, path)
    return document


def save_weights(network: nn.Module, path: Path, document: Mapping[str, Any] | None = None) -> None:
    """Writes a net's weights alone, for ``load_weights``."""
    save_checkpoint(path, with_prefix(network, WEIGHTS), document or {})


def with_prefix(network: nn.Module, prefix: str) -> dict[str, Tensor]:
    """The net's state with ``prefix`` before each name."""
    return {prefix + name: value for name, value in network.state_dict().items()}


def put_state(network: nn.Module, tensors: Mapping[str, Tensor], prefix: str, path: Path) -> None:
    """Loads the tensors whose names start with ``prefix``; ``path`` is for the error alone.

    Raises:
        UserError: names or shapes are another net's.
    """
    state = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(
            "checkpoint", seen=f"weights of another net in {path}", expected="weights of this architecture",
            remedy="choose the checkpoint that belongs to it, or train anew",
        ) from error  # fmt: skip


def _unreadable(seen: str) -> UserError:
    return UserError("checkpoint", seen=seen, expected="a checkpoint of latseg", remedy="check the path, or train anew")
