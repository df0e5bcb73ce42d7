"""Networks start from weights that ship with the package. Importing this module loads torch.

The weights are stored as float16. Teacher and supernet are of two classes, background and person; a network with other
classes takes all but their heads.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from safetensors.torch import load, save
from torch import Tensor, nn

from foundation.atomic_file import write_file
from foundation.errors import UserError

Name = Literal["teacher", "portrait-supernet", "small-encoder"]
SUPERNET: Name = "portrait-supernet"
SMALL_ENCODER: Name = "small-encoder"
SHIPPED = Path(__file__).parent
MANIFEST = "manifest.json"

_logger = logging.getLogger(__name__)


class Entry(BaseModel):
    """One file of weights and how they were trained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    sha256: str
    parameters: int
    recipe: dict[str, Any]
    """Data, amounts of training and quality; for people."""


def start_from(network: nn.Module, name: Name, *, folder: Path = SHIPPED) -> int:
    """Copies into ``network`` every shipped tensor of its names and shapes; returns how many there were.

    Raises:
        UserError: the files are missing or changed.
    """
    fitting = take_fitting(network, shipped(name, folder))
    _logger.info("%d of %d tensors start from the shipped %s", fitting, len(network.state_dict()), name)
    return fitting


def take_fitting(network: nn.Module, tensors: Mapping[str, Tensor]) -> int:
    """Copies into ``network`` every tensor of its names and shapes; returns how many there were.

    What does not fit, such as the head for another number of classes, stays as it is.
    """
    state = network.state_dict()
    fitting = {key: value for key, value in tensors.items() if key in state and state[key].shape == value.shape}
    network.load_state_dict({**state, **fitting})
    return len(fitting)


def recipe(name: Name, folder: Path = SHIPPED) -> Mapping[str, Any]:
    """How the weights were trained.

    Raises:
        UserError: the manifest is missing or damaged.
    """
    return _entries(folder)[name].recipe


def shipped_sha256(name: Name, folder: Path = SHIPPED) -> str:
    """Of the file of the weights.

    Raises:
        UserError: the manifest is missing or damaged.
    """
    return _entries(folder)[name].sha256


@cache
def shipped(name: Name, folder: Path = SHIPPED) -> Mapping[str, Tensor]:
    """Tensors of the file, float32 (counters as they are), after its checksum was compared.

    Raises:
        UserError: missing or changed.
    """
    entry = _entries(folder)[name]
    path = folder / entry.file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _damaged(path, error.strerror or str(error)) from error
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise _damaged(path, "another checksum than in the manifest")
    return {key: value.float() if value.is_floating_point() else value for key, value in load(content).items()}


def ship(networks: Mapping[Name, tuple[nn.Module, dict[str, Any]]], folder: Path = SHIPPED) -> None:
    """Writes the networks' weights as float16, with their recipes; entries of others stay."""
    entries = _entries(folder) if (folder / MANIFEST).exists() else {}
    for name, (network, how) in networks.items():
        state = network.state_dict()
        content = save({key: _small(value) for key, value in state.items()})
        file = f"{name}.safetensors"
        write_file(folder / file, content)
        entries[name] = Entry(
            file=file,
            sha256=hashlib.sha256(content).hexdigest(),
            parameters=sum(parameter.numel() for parameter in network.parameters()),
            recipe=how,
        )
    document = {name: entry.model_dump() for name, entry in sorted(entries.items())}
    write_file(folder / MANIFEST, (json.dumps(document, indent=2) + "\n").encode())


def _small(value: Tensor) -> Tensor:
    return (value.half() if value.is_floating_point() else value).contiguous()


def _entries(folder: Path) -> dict[str, Entry]:
    path = folder / MANIFEST
    try:
        document = json.loads(path.read_bytes())
        return {name: Entry.model_validate(entry) for name, entry in document.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise _damaged(path, str(error).splitlines()[0]) from error


def _damaged(path: Path, seen: str) -> UserError:
    return UserError(
        f"shipped weights {path}", seen=seen, expected="the file of this version", remedy="install latseg again"
    )
