"""The copy of a model that runs under a profiler: the same net, its nodes named by position, to which rows refer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from devices.external_data import embed_external_data
from devices.model_file import read_model
from devices.worker.runtime import ModelFailedError
from foundation.regular_file import MODEL_BYTES

if TYPE_CHECKING:
    import onnx

_PREFIX = "user_node_"


def load_named(path: Path) -> tuple[onnx.ModelProto, bytes]:
    """Reads a checked model, names each node by its position and embeds external weights.

    Names in a user's file may be missing or duplicated; positions are neither.

    Raises:
        ModelFailedError: the model does not fit into one file.
    """
    model = read_model(path)
    embed_external_data(path, model, limit=MODEL_BYTES)
    for index, node in enumerate(model.graph.node):
        node.name = f"{_PREFIX}{index}"
    try:
        return model, model.SerializeToString()
    except Exception as error:  # protobuf's EncodeError, whose home has moved between versions
        raise ModelFailedError(f"too large to profile: {error}") from error


def node_position(name: str) -> int | None:
    """Position of the user's node with this name; None where the runtime inserted the node."""
    digits = name.removeprefix(_PREFIX)
    return int(digits) if name.startswith(_PREFIX) and digits.isdecimal() else None
