"""The copy of a model that is run under a profiler: the same net, its nodes named so that rows can be traced back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from devices.worker.session import SessionError

if TYPE_CHECKING:
    import onnx

_PREFIX = "user_node_"


def load_named(path: Path) -> tuple[onnx.ModelProto, bytes]:
    """Reads a checked model, names each node by its position and embeds external weights.

    Names in a user's file may be missing or double; positions are neither.

    Raises:
        SessionError: the model does not fit into one file.
    """
    import onnx

    model = onnx.load(str(path))
    for index, node in enumerate(model.graph.node):
        node.name = f"{_PREFIX}{index}"
    try:
        return model, model.SerializeToString()
    except ValueError as error:
        raise SessionError(f"too large to profile: {error}") from error


def node_position(name: str) -> int | None:
    """Position of the user's node that bears this name, None if it is none of the user's."""
    digits = name.removeprefix(_PREFIX)
    return int(digits) if name.startswith(_PREFIX) and digits.isdecimal() else None
