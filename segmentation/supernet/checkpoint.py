"""The state of a supernet's training in one safetensors file. Importing this module loads torch."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from foundation.errors import UserError
from segmentation.supernet.supernet import Supernet
from segmentation.training import checkpoint

_WEIGHT, _OPTIMIZER = "weight", "optimizer"


def save_checkpoint(path: Path, supernet: Supernet, optimizer: torch.optim.Optimizer, step: int, identity: str) -> None:
    """Writes weights, the optimizer's state and ``step`` (steps done) to ``path``, whole or not at all.

    ``identity`` tells which training this is; only the same one may go on from here.

    Raises:
        UserError: the file cannot be written, e.g. because the disk is full; an older one stays whole.
    """
    tensors: dict[str, Tensor] = {}
    for name, parameter in supernet.named_parameters():
        tensors[f"{_WEIGHT}|{name}"] = parameter.detach().contiguous()
        for entry, value in optimizer.state.get(parameter, {}).items():
            tensors[f"{_OPTIMIZER}|{entry}|{name}"] = value.contiguous()
    checkpoint.save_checkpoint(path, tensors, {"step": step, "identity": identity})


def load_checkpoint(path: Path, supernet: Supernet, optimizer: torch.optim.Optimizer, identity: str) -> int:
    """Reads what ``save_checkpoint`` wrote into ``supernet`` and ``optimizer``; returns the steps done.

    Raises:
        UserError: not a checkpoint, or one of another training.
    """
    tensors, document = checkpoint.load_checkpoint(path)
    if document.get("identity") != identity:
        raise _error(path, document.get("identity", "no settings"), f"a training with {identity}")
    _restore(path, tensors, supernet, optimizer)
    return int(document["step"])


def _restore(path: Path, tensors: dict[str, Tensor], supernet: Supernet, optimizer: torch.optim.Optimizer) -> None:
    parameters = dict(supernet.named_parameters())
    weights = {key.split("|", 1)[1]: value for key, value in tensors.items() if key.startswith(f"{_WEIGHT}|")}
    shapes = {name: parameter.shape for name, parameter in parameters.items()}
    if {name: value.shape for name, value in weights.items()} != shapes:
        raise _error(path, "weights of other shapes", "the weights of this supernet")
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(weights[name])
    positions = {name: position for position, name in enumerate(parameters)}
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(f"{_OPTIMIZER}|"):
            _, entry, name = key.split("|", 2)
            state.setdefault(positions[name], {})[entry] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _error(path: Path, seen: str, expected: str) -> UserError:
    return UserError(
        f"checkpoint {path.name}", seen=seen, expected=expected, remedy="delete the file to train from the start"
    )
