"""A training between two epochs, and its file. Importing this module loads torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from foundation import checkpoint_file
from foundation.atomic_file import write_file
from foundation.errors import UserError

_WEIGHTS, _BEST, _OPTIMISER = "weights.", "best.", "optimiser."
_NUMBERS = ("epoch", "best_accuracy", "best_loss", "waited", "finished")


@dataclass
class TrainingState:
    """What an epoch changes."""

    network: nn.Module
    optimiser: torch.optim.Optimizer
    epoch: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)
    """The weights that will be used."""
    best_accuracy: float = -1.0
    best_loss: float = float("inf")
    """Of the validation nodes, each over all epochs."""
    waited: int = 0
    """Epochs since one of both was as good as ever."""
    finished: bool = False

    def note(self, accuracy: float, loss: float) -> None:
        """Keeps the weights where both are as good as ever (as the authors of GAT do).

        Args:
            accuracy: of the validation nodes, after this epoch.
            loss: of the same.
        """
        better = accuracy >= self.best_accuracy, loss <= self.best_loss
        self.waited = 0 if any(better) else self.waited + 1
        if all(better) or not self.best:
            self.best = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        self.best_accuracy, self.best_loss = max(accuracy, self.best_accuracy), min(loss, self.best_loss)

    def save(self, path: Path, identity: Mapping[str, Any]) -> None:
        """Writes the file, whole or not at all.

        Args:
            path: the file.
            identity: what the training is; a file of another one is refused.

        Raises:
            UserError: the file cannot be written.
        """
        tensors = {_WEIGHTS + name: value for name, value in self.network.state_dict().items()}
        tensors |= {_BEST + name: value for name, value in self.best.items()}
        for number, values in self.optimiser.state_dict()["state"].items():
            tensors |= {f"{_OPTIMISER}{number}.{name}": value for name, value in values.items()}
        document = {"identity": dict(identity), **{name: getattr(self, name) for name in _NUMBERS}}
        try:
            write_file(path, checkpoint_file.packed(tensors, document))
        except OSError as error:
            raise UserError(
                "checkpoint", seen=f"cannot write {path} ({error.strerror or error})", expected="a folder with space",
                remedy="free space and resume: the last checkpoint is unchanged",
            ) from error  # fmt: skip

    def restore(self, path: Path, identity: Mapping[str, Any]) -> None:
        """Loads what ``save`` wrote.

        Raises:
            UserError: as ``read_state``.
        """
        tensors, document = read_state(path, identity)
        with _errors_of(path):
            self.network.load_state_dict(_behind(_WEIGHTS, tensors))
            self.best = _behind(_BEST, tensors)
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in _behind(_OPTIMISER, tensors).items():
                number, _, name = key.partition(".")
                state.setdefault(int(number), {})[name] = value
            groups = self.optimiser.state_dict()["param_groups"]
            self.optimiser.load_state_dict({"state": state, "param_groups": groups})
            for name in _NUMBERS:
                setattr(self, name, document[name])


def read_best(path: Path, identity: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights of a finished training.

    Raises:
        UserError: as ``read_state``, or it is not finished.
    """
    tensors, document = read_state(path, identity)
    if document.get("finished") is not True:
        raise UserError(
            f"checkpoint {path}", seen="a training that is not finished", expected="a finished one",
            remedy="run `latseg train`",
        )  # fmt: skip
    return _behind(_BEST, tensors)


def read_state(path: Path, identity: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and document of a checkpoint.

    Raises:
        UserError: missing, damaged, or of a training with another identity.
    """
    with _errors_of(path):
        tensors, document = checkpoint_file.read(path)
        if not checkpoint_file.is_known(document):
            raise ValueError(f"schema {document.get('schema')}")
        found = document["identity"]
        differing = [name for name, value in identity.items() if found.get(name) != value]
    if differing:
        name = differing[0]
        raise UserError(
            f"{name} of the checkpoint {path}", seen=repr(found.get(name)), expected=repr(identity[name]),
            remedy="name another file, or delete it to train from the start",
        )  # fmt: skip
    return tensors, document


@contextmanager
def _errors_of(path: Path) -> Iterator[None]:
    """Reports a missing or damaged file in one line."""
    try:
        yield
    except (OSError, LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())
        raise UserError(
            f"checkpoint {path}", seen=reason[:200], expected="a checkpoint of latseg",
            remedy="restore it from a copy, or delete it to train from the start",
        ) from error  # fmt: skip


def _behind(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
