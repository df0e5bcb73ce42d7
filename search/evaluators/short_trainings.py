"""Which nets a search trains for a short time, and what they reach; a file in the run's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from foundation.checked_record import read_checked, write_checked
from search.architecture import Architecture

FILE_NAME = "short_trainings.json"


class ShortTrainings(BaseModel):
    """The nets are chosen once: a resumed search has other bounds, by which others would be sampled."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    nets: tuple[str, ...]
    """JSON texts of architectures."""
    qualities: tuple[float, ...] = ()
    """Of the first nets; the others are not trained yet."""

    @model_validator(mode="after")
    def _no_more_qualities_than_nets(self) -> Self:
        if len(self.qualities) > len(self.nets):
            raise ValueError("more qualities than nets")
        return self

    @property
    def architectures(self) -> list[Architecture]:
        """The nets."""
        return [Architecture.from_json(text) for text in self.nets]

    def with_quality(self, quality: float) -> ShortTrainings:
        """The record with what the next net reached."""
        return self.model_copy(update={"qualities": (*self.qualities, quality)})


def write_short_trainings(run_folder: Path, record: ShortTrainings) -> None:
    """Writes ``short_trainings.json``, whole or not at all."""
    write_checked(run_folder / FILE_NAME, record)


def read_short_trainings(run_folder: Path) -> ShortTrainings | None:
    """Reads ``short_trainings.json``; None where there is none yet.

    Raises:
        UserError: the file is damaged.
    """
    return read_checked(
        run_folder / FILE_NAME, ShortTrainings, remedy="delete the file; the nets are then trained anew"
    )
