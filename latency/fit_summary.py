"""The quality of a fitted predictor, kept beside it in ``fit.json``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from foundation.errors import UserError
from latency.predictors.folder import read_checked, write_json
from latency.scores import Scores

FILE_NAME = "fit.json"


@dataclass(frozen=True, slots=True)
class TestRow:
    """One net held out. Milliseconds."""

    __test__ = False  # not a test class, whatever its name suggests to pytest

    label: str
    measured_ms: float
    predicted_ms: float
    upper_ms: float


class FitSummary(BaseModel):
    """Scores of the predictors on the nets held out, and these nets one by one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    fingerprint: str
    handed_over: str = "arbitrated"
    """Name of the predictor in use; older files have none and mean this one."""
    predictors: dict[str, Scores]
    """By name, all fitted on the same training nets and scored on the same test nets."""
    coverage: float
    """Share of the test nets whose measurement lies within the bound."""
    bound_ratio: float = Field(validation_alias=AliasChoices("bound_ratio", "slack"), serialization_alias="slack")
    """Bound / measurement, mean over the test nets."""
    bound: str
    """How the bound was calibrated, in a sentence."""
    training_models: int
    test_models: int
    seconds: float
    test_table: tuple[TestRow, ...]
    """The test nets in order of their measured latency."""
    split_conformal: bool = False
    """Whether the test nets calibrated the bound; the bound of each in the table is then that of the others."""

    @property
    def in_use(self) -> str:
        """Which nets the predictor in use was trained and calibrated on, in a sentence."""
        if self.split_conformal:
            return (
                "This predictor is the one in use. These nets calibrate its bound; the bound of each one in the table "
                f"is that of the others: {self.bound}."
            )
        return f"The predictor in use was then trained on all nets: {self.bound}."


def write_summary(folder: Path, summary: FitSummary) -> None:
    """Writes ``fit.json`` into the predictor's folder.

    Raises:
        UserError: the folder cannot be written.
    """
    write_json(folder / FILE_NAME, summary.model_dump(mode="json", by_alias=True))


def read_summary(folder: Path) -> FitSummary:
    """Reads ``fit.json``.

    Raises:
        UserError: missing or damaged.
    """
    path = folder / FILE_NAME
    try:
        return FitSummary.model_validate(read_checked(path))
    except (OSError, ValueError) as error:
        seen = str(error).splitlines()[0]
        raise UserError(str(path), seen=seen, expected="what `latseg fit` wrote", remedy="run `latseg fit`") from error
