"""How a trained winner does on the test part; two pictures and a file in the run's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from foundation.checked_record import read_checked, write_checked
from search.options import Count, Size
from segmentation.metrics import ConfusionMatrix, Quality
from segmentation.reliability import ReliabilityBin

Share = Annotated[float, Field(ge=0, le=1)]
Pixels = Annotated[int, Field(ge=0)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ShownPicture(_Record):
    """A row of the sheet of pictures."""

    rank: Literal["best", "median", "worst"]
    iou: Share
    """Mean over the classes of the picture."""


class HeldOutRecord(_Record):
    """Content of ``winners/ID_test.json``."""

    weights_sha256: str
    """Of the checkpoint that was scored."""
    classes: Annotated[tuple[str, ...], Field(min_length=2)]
    size: Size
    """Height and width at which masks were compared."""
    pictures: Count
    boundary_f1: Share | None
    confusion: tuple[tuple[Pixels, ...], ...]
    """Labelled pixels by true class (row) and predicted class (column)."""
    calibration: tuple[ReliabilityBin, ...]
    """Of the foreground probability."""
    shown: Annotated[tuple[ShownPicture, ...], Field(min_length=1)]
    """From the best to the worst."""

    @property
    def quality(self) -> Quality:
        """Scores over all pixels."""
        matrix = ConfusionMatrix(len(self.classes))
        matrix.counts = np.asarray(self.confusion, np.int64)
        return matrix.quality(self.pictures)

    @model_validator(mode="after")
    def _has_a_row_and_a_column_for_each_class(self) -> Self:
        if [len(row) for row in self.confusion] != [len(self.classes)] * len(self.classes):
            raise ValueError("not as many rows and columns as classes")
        return self


def write_held_out_record(path: Path, record: HeldOutRecord) -> None:
    """Writes the file, whole or not at all.

    Raises:
        OSError: the folder cannot be written.
    """
    write_checked(path, record)


def read_held_out_record(path: Path) -> HeldOutRecord | None:
    """Reads the file; None where there is none.

    Raises:
        UserError: the file is damaged.
    """
    return read_checked(path, HeldOutRecord, remedy="delete it, and run `latseg evaluate` again")
