"""Tensors and a JSON document in one safetensors file, replaced as a whole or not at all."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from foundation import checkpoint_file
from foundation.atomic_file import write_file
from foundation.errors import UserError
from segmentation.data.source import DataSource

WEIGHTS = "weights."
"""Prefix of the weights for use: a full training's moving average, or a supernet's shared weights."""
_OPTIMISER = "optimiser."

_REASON = 200
"""Characters of a reason that are shown."""

_logger = logging.getLogger(__name__)


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], document: Mapping[str, Any]) -> None:
    """Writes the file as a whole; when that fails, an older one is unchanged.

    Raises:
        UserError: the file cannot be written, e.g. because the disk is full.
    """
    content = checkpoint_file.packed(tensors, document)
    try:
        write_file(path, content)
    except OSError as error:
        raise UserError(
            "checkpoint", seen=f"cannot write {path} ({error.strerror or error})",
            expected=f"a folder with {len(content)} bytes to spare",
            remedy="free space and resume: the last checkpoint is unchanged",
        ) from error  # fmt: skip
    _logger.debug("wrote checkpoint %s (%d bytes)", path, len(content))


def load_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Reads what ``save_checkpoint`` wrote: tensors and document.

    Raises:
        UserError: missing, damaged, not a checkpoint, or of a newer schema.
    """
    try:
        tensors, document = checkpoint_file.read(path)
    except FileNotFoundError as error:
        raise _unreadable(f"no file {path}") from error
    except (OSError, LookupError, TypeError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())
        raise _unreadable(f"unreadable {path} ({reason[:_REASON]})") from error
    if not checkpoint_file.is_known(document):
        found = document.get("schema")
        raise UserError(
            "checkpoint", seen=f"schema {found} in {path}", expected=f"schema {checkpoint_file.SCHEMA}",
            remedy="use the version of latseg that wrote it, or delete the file to train from the start",
        )  # fmt: skip
    return tensors, document


@contextmanager
def damage_told(path: Path) -> Iterator[None]:
    """While the document of a checkpoint is used: what is missing in it, or of another type, is one line.

    Raises:
        UserError: such damage; it names ``path``.
    """
    try:
        yield
    except torch.OutOfMemoryError:
        raise  # says nothing of the file
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError) as error:
        raise _unreadable(f"unreadable {path} ({' '.join(str(error).split())[:_REASON]})") from error


def load_weights(network: nn.Module, path: Path) -> dict[str, Any]:
    """Loads a checkpoint's weights into ``network`` and returns the checkpoint's document.

    Raises:
        UserError: as ``load_checkpoint``, or the checkpoint is of another network.
    """
    tensors, document = load_checkpoint(path)
    _put_state(network, tensors, WEIGHTS, path)
    return document


def with_prefix(network: nn.Module, prefix: str) -> dict[str, Tensor]:
    """The network's state with ``prefix`` before each name."""
    return {prefix + name: value for name, value in network.state_dict().items()}


def _put_state(network: nn.Module, tensors: Mapping[str, Tensor], prefix: str, path: Path) -> None:
    """Loads the tensors whose names start with ``prefix``; the error names ``path``.

    Raises:
        UserError: names or shapes are those of another network.
    """
    state = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(
            "checkpoint", seen=f"weights of another network in {path}", expected="weights of this architecture",
            remedy="choose the checkpoint that belongs to it, or train from the start",
        ) from error  # fmt: skip


@dataclass(frozen=True, slots=True)
class TrainedParts:
    """What a training changes, and the data that it learns from.

    In a checkpoint the tensors of a network have its prefix, those of the optimiser are ``optimiser.POSITION.ENTRY``.
    """

    networks: Mapping[str, nn.Module]
    """By prefix."""
    optimiser: torch.optim.Optimizer
    source: DataSource

    def save(self, path: Path, document: Mapping[str, Any]) -> None:
        """Writes the parts, the document and the fingerprint of the data.

        Raises:
            UserError: as ``save_checkpoint``.
        """
        tensors: dict[str, Tensor] = {}
        for prefix, network in self.networks.items():
            tensors |= with_prefix(network, prefix)
        for number, values in self.optimiser.state_dict()["state"].items():
            tensors |= {f"{_OPTIMISER}{number}.{name}": value for name, value in values.items()}
        save_checkpoint(path, tensors, {**document, "fingerprint": self.source.fingerprint})

    def restore(self, path: Path, tensors: Mapping[str, Tensor], document: Mapping[str, Any]) -> None:
        """Loads what ``save`` wrote and ``load_checkpoint`` has read.

        Raises:
            UserError: the checkpoint is of other networks or other data.
        """
        _check_fingerprint(document, self.source, path)
        for prefix, network in self.networks.items():
            _put_state(network, tensors, prefix, path)
        _put_optimiser_state(self.optimiser, tensors)


def _put_optimiser_state(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Parameters that were never updated have no state."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(_OPTIMISER):
            number, name = key.removeprefix(_OPTIMISER).split(".")
            state.setdefault(int(number), {})[name] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def _check_fingerprint(document: Mapping[str, Any], source: DataSource, path: Path) -> None:
    """Refuses to resume from ``path`` with other data.

    Checkpoints from before there were fingerprints pass where the labels were read as they are now.

    Raises:
        UserError: the data, its split or its reading changed since the checkpoint was written.
    """
    written = document.get("fingerprint", "" if source.reading else source.fingerprint)
    if written != source.fingerprint:
        how = f", or labels that are now read otherwise ({source.reading})" if source.reading else ""
        raise UserError(
            f"data {source.name}", seen=f"other files or another split than when {path} was written{how}",
            expected="the data with which the training began",
            remedy="restore the data, or delete the checkpoint to train from the start",
        )  # fmt: skip


def _unreadable(seen: str) -> UserError:
    remedy = "restore it from a copy, or delete the file to train from the start"
    return UserError("checkpoint", seen=seen, expected="a checkpoint of latseg", remedy=remedy)
