"""What a runtime says on a file: whether it runs it, and which of its operators it does not run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Verdict(StrEnum):
    """Whether a device runs an operator."""

    SUPPORTED = "supported"
    PARTIAL = "partial"
    """Only with some attributes, sizes or types."""
    FALLS_BACK = "falls back"
    """On another compute unit than the one that the device is meant for."""
    UNSUPPORTED = "unsupported"
    UNKNOWN = "unknown"
    """The runtime could not be asked."""


@dataclass(frozen=True, slots=True)
class FileSupport:
    """The answer of a device on one file as a whole."""

    verdict: Verdict
    reason: str = ""
    """The runtime's, in one line; empty where the file is supported."""
    outputs: tuple[NDArray[np.generic], ...] | None = None
    """What it computed, in the model's order; None where it ran nothing."""
    units: tuple[str, ...] = ()
    """Compute unit of each node of the file, where the target names them; empty for nodes that were merged away."""
    unit: str = ""
    """The unit on which all of them were to run; empty where the target names none."""


@dataclass(frozen=True, slots=True)
class OperatorSupport:
    """The answer on one node of the user's file."""

    name: str
    """Of the node; of its first output where it has none."""
    kind: str
    """Operator type, with its domain where that is not ONNX's: ``com.microsoft.FusedConv``."""
    verdict: Verdict
    reason: str = ""
    remedy: str = ""
    """What to change where it is unsupported."""
    unit: str = ""
    """Compute unit on which it runs, where the target names it."""
