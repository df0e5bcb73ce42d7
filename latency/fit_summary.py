"""What ``fit`` found out, kept beside the predictor: ``fit.json``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from foundation.errors import UserError
from latency.predictors.folder import write_json

if TYPE_CHECKING:
    from latency.fit import FitResult

FILE_NAME = "fit.json"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ScoresRecord(_Record):
    """``latency.scores.Scores`` in a file."""

    mape_percent: float
    within_5_percent: float
    within_10_percent: float
    spearman: float


class TestNet(_Record):
    """One net held out. Milliseconds."""

    __test__ = False  # not a test class, whatever its name suggests to pytest

    label: str
    measured_ms: float
    predicted_ms: float
    upper_ms: float


class FitSummary(_Record):
    """Scores of the predictors on the nets held out, and these nets one by one."""

    schema_version: Literal[1] = 1
    fingerprint: str
    predictors: dict[str, ScoresRecord]
    coverage: float
    slack: float
    """Bound / measurement, mean over the test nets."""
    bound: str
    """What the bound rests on, in a sentence."""
    training_models: int
    test_models: int
    seconds: float
    test_table: tuple[TestNet, ...]
    split_conformal: bool = False
    """Whether the test nets calibrated the bound; the table's bounds are then each by all others."""

    @property
    def in_use(self) -> str:
        """What became of the predictor that was tested, and what the bound rests on, in a sentence."""
        if self.split_conformal:
            return f"It is the predictor in use, and these nets calibrate it, each judged by the others: {self.bound}."
        return f"The predictor in use was then trained on all nets: {self.bound}."


def summary_of(result: FitResult) -> FitSummary:
    """The summary of a fit."""
    return FitSummary(
        fingerprint=result.predictor.fingerprint,
        predictors={name: ScoresRecord(**asdict(scores)) for name, scores in result.scores.items()},
        coverage=result.coverage,
        slack=result.slack,
        bound=result.predictor.calibration.statement,
        training_models=result.training_models,
        test_models=result.test_models,
        seconds=result.seconds,
        test_table=tuple(TestNet(**asdict(row)) for row in result.test_table),
        split_conformal=result.split_conformal,
    )


def write_summary(folder: Path, summary: FitSummary) -> None:
    """Writes ``fit.json`` into the predictor's folder.

    Raises:
        UserError: the folder cannot be written.
    """
    write_json(folder / FILE_NAME, summary.model_dump(mode="json"))


def read_summary(folder: Path) -> FitSummary:
    """Reads ``fit.json``.

    Raises:
        UserError: missing or damaged.
    """
    path = folder / FILE_NAME
    try:
        return FitSummary.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        seen = str(error).splitlines()[0]
        raise UserError(str(path), seen=seen, expected="what `latseg fit` wrote", remedy="run `latseg fit`") from error
