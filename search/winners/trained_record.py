"""How good a winner was after its full training; a file in the run's folder."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from foundation.checked_record import read_checked, write_checked
from search.tasks.task import Quality


class TrainedRecord(BaseModel):
    """Content of ``winners/ID_trained.json``, of the last full training that has ended."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    """By which the task compares architectures."""
    quality: Annotated[float, Field(allow_inf_nan=False)]
    """On the validation part."""


def keep_trained_record(path: Path, quality: Quality) -> None:
    """Writes the file, whole or not at all; nothing where the task found no number.

    Raises:
        OSError: the folder cannot be written.
    """
    if math.isfinite(quality.value):
        write_checked(path, TrainedRecord(metric=quality.main, quality=quality.value))


def read_trained_record(path: Path) -> TrainedRecord | None:
    """Reads the file; None where there is none.

    Raises:
        UserError: the file is damaged.
    """
    return read_checked(path, TrainedRecord, remedy="delete it, and run `latseg train` again")
