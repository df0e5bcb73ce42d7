"""What candidates reached that were trained elsewhere: kept in the run's folder from the moment it is known.

A search takes estimates in the order of its candidates. One that arrives before its turn would be lost with a search
that is killed.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from foundation.checked_record import read_checked, write_checked
from search.architecture import Architecture


class _Reached(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    quality: float
    epochs: int


def write_reached(run_folder: Path, architecture: Architecture, quality: float, epochs: int) -> None:
    """Writes ``evaluations/ID.json``, whole or not at all; on disk when the call returns.

    Raises:
        OSError: the folder cannot be written.
    """
    write_checked(_path(run_folder, architecture), _Reached(quality=quality, epochs=epochs))


def read_reached(run_folder: Path, architecture: Architecture, epochs: int) -> float | None:
    """What the candidate reached after so many epochs; None where that is not known.

    Raises:
        UserError: the file is damaged.
    """
    path = _path(run_folder, architecture)
    found = read_checked(path, _Reached, remedy="delete the file; the candidate is then trained again")
    return None if found is None or found.epochs != epochs else found.quality


def _path(run_folder: Path, architecture: Architecture) -> Path:
    return run_folder / "evaluations" / f"{architecture.id}.json"
