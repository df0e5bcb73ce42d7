"""Finds the best segmentation network that is guaranteed to be fast enough for your device.

>>> import latseg
>>> workspace = latseg.Workspace("latseg-workspace")

Importing this package loads none of its parts; each name is loaded when it is used first.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latseg.api import (
        Bundle,
        DataOptions,
        DeviceHandle,
        NetworkModel,
        RunHandle,
        TrainedWinner,
        TrainingOptions,
        Workspace,
        analyse,
    )

__all__ = [
    "Bundle",
    "DataOptions",
    "DeviceHandle",
    "NetworkModel",
    "RunHandle",
    "TrainedWinner",
    "TrainingOptions",
    "Workspace",
    "analyse",
]

# Read when torch is loaded. Beside other programs, a thread that spins for long while it waits takes the core from the
# thread for which it waits; on an idle machine, one that does not spin at all is slow (docs/benchmarks.md, "Training
# beside other programs").
os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from latseg import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
