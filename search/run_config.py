"""What a run was asked to do, resolved and written down: ``run.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from foundation.atomic_file import write_file
from foundation.errors import UserError

SCHEMA_VERSION = 1
FILE_NAME = "run.json"
Count = Annotated[int, Field(ge=1)]
Size = tuple[Count, Count]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TargetDevice(_Record):
    """A device with its latency budget."""

    device: str
    threads: Count
    maximum_ms: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    fingerprint: str
    hardware: str
    runtime: str
    runtime_version: str
    simulated: bool


class TrainingOptions(_Record):
    """How much is trained. Steps are batches."""

    teacher_epochs: Annotated[int, Field(ge=0)] = 12
    """0 trains without a teacher."""
    supernet_steps: Count = 400
    winner_epochs: Count = 30
    batch_size: Count = 8
    evaluation_images: Count = 48
    """Of the validation split, by which trials are compared."""
    training_size: Size | None = None
    """Height and width at which the teacher is trained; None for that of the data."""
    threads: Count = 2
    """Of PyTorch."""


class RunConfig(_Record):
    """A run, resolved: nothing in it depends on defaults of a later version."""

    schema_version: Literal[1] = 1
    run: str
    created: str
    command: str
    space: str
    sizes: tuple[Size, ...] | None
    data: str
    data_size: Size
    data_count: Count | None
    resize_masks: bool
    data_test: bool = False
    """Whether the source may hold pairs out for a test part; runs from before there was one hold none out."""
    classes: Annotated[tuple[str, ...], Field(min_length=2)]
    targets: Annotated[tuple[TargetDevice, ...], Field(min_length=1)]
    max_parameters: Count
    trials: Count
    winners: Count
    strategy: Literal["evolution", "random"]
    near_budget: Annotated[int, Field(ge=0)] = 0
    """Random nets to be measured near each latency budget first; runs from before there was such a thing have none."""
    seed: int
    effort: TrainingOptions
    versions: dict[str, str]

    @property
    def simulated(self) -> bool:
        """Whether any budget is on a simulated device; then nothing is certified."""
        return any(target.simulated for target in self.targets)


def write_config(folder: Path, config: RunConfig) -> None:
    """Writes ``run.json`` into the run's folder, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / FILE_NAME, (config.model_dump_json(indent=2) + "\n").encode())


def read_config(folder: Path) -> RunConfig:
    """Reads ``run.json``.

    Raises:
        UserError: missing, damaged, or of a newer schema.
    """
    path = folder / FILE_NAME
    try:
        text = path.read_text(encoding="utf-8")
        version = json.loads(text).get("schema_version")
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise UserError(
                str(path), seen=f"schema {version}", expected=f"schema {SCHEMA_VERSION}", remedy="upgrade latseg"
            )
        return RunConfig.model_validate_json(text)
    except (OSError, ValueError, AttributeError, ValidationError) as error:
        seen = str(error).splitlines()[0]
        raise UserError(
            str(path), seen=seen, expected="what `latseg search` wrote", remedy="start a new run"
        ) from error
