"""What is known of a teacher: how it is asked and how well it agrees with the masks; a file in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from foundation.checked_record import read_checked, write_checked
from search.options import Size

FILE_NAME = "teacher.json"
Share = Annotated[float, Field(ge=0, le=1)]


class TeacherRecord(BaseModel):
    """Content of ``teacher.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """Of the file, without its folder."""
    file_sha256: str
    description: str
    """``KEY=VALUE,...``: all options of the teacher, those that were found out included."""
    found_out: tuple[str, ...]
    """Keys that the user did not give."""
    map_size: Size
    """Height and width at which its answers are kept."""
    mean_iou: Share
    """Against the masks of the validation part."""
    pictures: int
    """Validation pictures on which it gave an answer."""
    failed: int
    """Validation pictures on which it failed."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for people."""
        found = f"; found out on labelled pictures: {', '.join(self.found_out)}" if self.found_out else ""
        failed = f", {self.failed} more failed" if self.failed else ""
        return (
            f"{self.name}:{self.description}{found}",
            f"{self.name} agrees with the masks of {self.pictures} validation pictures: mean IoU "
            f"{self.mean_iou:.3f}{failed}",
        )


def worst_sheet(run_folder: Path, identity: str, *, photographs: bool = True) -> Path:
    """PNG of the validation pictures on which the teacher agrees least, with photographs or as masks alone."""
    return run_folder / f"teacher_worst{'' if photographs else '_masks'}-{identity[:8]}.png"


def write_record(folder: Path, record: TeacherRecord) -> None:
    """Writes ``teacher.json``, whole or not at all."""
    write_checked(folder / FILE_NAME, record)


def read_record(folder: Path) -> TeacherRecord | None:
    """Reads ``teacher.json``; None where there is none yet.

    Raises:
        UserError: the file is damaged.
    """
    return read_checked(folder / FILE_NAME, TeacherRecord, remedy="delete the file to compare the teacher again")
