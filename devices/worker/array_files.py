"""Arrays on their way between parent and worker: files, because a pipe of JSON is no place for pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def write_arrays(path: Path, arrays: Sequence[NDArray[np.generic]]) -> None:
    """Writes the arrays as one ``.npz`` file."""
    with path.open("wb") as file:
        np.savez(file, *arrays)


def read_arrays(path: Path) -> list[NDArray[np.generic]]:
    """What ``write_arrays`` wrote, in the same order."""
    with np.load(path, allow_pickle=False) as stored:
        return [stored[f"arr_{position}"] for position in range(len(stored.files))]
