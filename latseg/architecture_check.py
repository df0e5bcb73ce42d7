"""Whether the architecture that a bundle names is the one of its model file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from string import hexdigits
from typing import TYPE_CHECKING

from foundation.errors import UserError

if TYPE_CHECKING:
    from export.bundle.manifest import Manifest
    from search.architecture import Architecture

_ID_DIGITS = 10


def architecture_faults(manifest: Manifest, model: Path) -> list[str]:
    """What is wrong with the manifest's architecture, compared with its space, the commands and the file ``model``.

    A space that is not installed here, or one of another task than segmentation (the manifest names no classes), says
    nothing; then only the commands that make the bundle are compared: they name the architecture by its id.
    """
    from search.architecture import Architecture

    try:
        architecture = Architecture.from_json(json.dumps(manifest.architecture))
        return [*_id_faults(architecture, manifest), *_space_faults(architecture, manifest, model)]
    except UserError as error:
        return [str(error)]


def _id_faults(architecture: Architecture, manifest: Manifest) -> Iterator[str]:
    words = manifest.reproduce.split()
    named = {after for word, after in pairwise(words) if word == "--winner" and _is_id(after)}
    if named - {architecture.id}:
        yield f"its id is {architecture.id}, the commands make {', '.join(sorted(named))}"
    if json.loads(architecture.to_json()) != manifest.architecture:
        yield "it has more than a space and choices"


def _is_id(word: str) -> bool:
    return len(word) == _ID_DIGITS and all(digit in hexdigits for digit in word)


def _space_faults(architecture: Architecture, manifest: Manifest, model: Path) -> Iterator[str]:
    from latency.operators.from_onnx import from_onnx
    from search.spaces.registry import SPACES, is_network, open_nets

    known = is_network(architecture.space)
    if not (known or architecture.space in SPACES.names) or not manifest.classes:
        return
    sizes = [(manifest.input.height, manifest.input.width)] if known and manifest.input else None
    space = open_nets(architecture.space, classes=len(manifest.classes), sizes=sizes)
    space.validate(architecture)
    parameters = space.parameters(architecture)
    if parameters != manifest.parameters:
        yield f"it has {parameters:,} parameters, the manifest says {manifest.parameters:,}"
    if known and (parameters != manifest.parameters or parameters > model.stat().st_size):
        yield f"it is not the network in {model.name}"  # to build it may need more memory than there is
        return
    layout = manifest.input
    shapes = {layout.name: (1, 3, layout.height, layout.width)} if layout else {}
    if space.lower(architecture) != from_onnx(model, shapes):
        changed = "" if space.version == 1 else f", or that one is of an earlier version of the space {space.name}"
        yield f"it is not the network in {model.name}{changed}"
