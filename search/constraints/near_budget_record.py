"""Record of what a run measured near its budgets before it began: ``near_budget.json``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from foundation.atomic_file import write_file
from foundation.checked_document import with_checksum, without_checksum
from foundation.errors import UserError
from foundation.regular_file import read_json
from search.constraints.near_nets import NEAR


class NearBudget(BaseModel):
    """The calibration near one device's budget."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    device: str
    wanted: int = Field(validation_alias="asked", serialization_alias="asked")
    """Number of nets to measure."""
    examined: int = Field(validation_alias="looked_at", serialization_alias="looked_at")
    """Random nets that were examined to find them; those above the limit of parameters were not predicted."""
    nets: int
    """Nets that were measured; the calibration is based on them."""
    failed: int
    """Nets that the device could not run."""
    ratios: tuple[float, ...]
    """Measured / predicted, one for each net."""
    factor_before: float
    """Upper bound / prediction, before and after."""
    factor_after: float
    statement: str
    """Summary in a sentence or two."""


def write_near_budget(path: Path, records: Sequence[NearBudget]) -> None:
    """Writes the records, whole or not at all.

    Raises:
        UserError: they cannot be written.
    """
    documents = [with_checksum(record.model_dump(mode="json", by_alias=True)) for record in records]
    try:
        write_file(path, json.dumps(documents, indent=2).encode() + b"\n")
    except OSError as error:
        raise UserError(
            str(path), seen=error.strerror or error, expected="a file that can be written",
            remedy="free space, or move away what has its name",
        ) from error  # fmt: skip


def read_near_budget(path: Path) -> tuple[NearBudget, ...]:
    """Reads the records; empty where the run measured nothing near its budgets.

    Raises:
        UserError: damaged.
    """
    try:
        documents = read_json(path)
        if not isinstance(documents, list):
            raise ValueError("no list")
        return tuple(NearBudget.model_validate_json(json.dumps(without_checksum(each))) for each in documents)
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, RecursionError) as error:  # pydantic's ValidationError is a ValueError
        seen = (isinstance(error, OSError) and error.strerror) or str(error).splitlines()[0]
        expected = "what `latseg search` wrote"
        remedy = f"continue the run: `latseg search --resume {path.parent.name}`"
        raise UserError(str(path), seen=seen, expected=expected, remedy=remedy) from error


def summary(record: NearBudget, maximum_ms: float, bound: str, reason: str) -> str:
    """What was measured, what it changed, and what the bound is calibrated on now.

    Args:
        record: everything but the summary.
        maximum_ms: the budget.
        bound: the calibration's statement.
        reason: why the first of the failed nets could not be measured.
    """
    budget = f"the budget of {maximum_ms:g} ms on {record.device}"
    if not record.nets + record.failed:
        found = f"no net that may be measured near {budget} is among {record.examined} random nets"
        return f"{found}: nothing was measured there. The bound stays as it was: {bound}"
    if not record.nets:
        lost = f"none of {record.failed} nets near {budget} could be measured ({reason})"
        return f"{lost}. The bound stays as it was: {bound}"
    return f"{_measured(record, budget)}{_missing(record, reason)}. {_changed(record)}{_beyond(record)}. Now: {bound}"


def _measured(record: NearBudget, budget: str) -> str:
    low, high = (f"{100 * share:g}" for share in NEAR)
    return f"{record.nets} random nets predicted at {low} to {high} % of {budget} were measured"


def _missing(record: NearBudget, reason: str) -> str:
    missing = record.wanted - record.nets - record.failed
    rare = f"; {missing} more were not found among {record.examined} random nets" if missing else ""
    return rare + (f"; {record.failed} more could not be measured ({reason})" if record.failed else "")


def _changed(record: NearBudget) -> str:
    before, after = f"{record.factor_before:.3f}", f"{record.factor_after:.3f}"
    if record.factor_after > record.factor_before:
        return f"They widen the bound from {before} to {after} times the prediction"
    if record.factor_after < record.factor_before:
        return f"Predictions are too high there, which narrows the bound from {before} to {after} times the prediction"
    return f"They leave the bound at {before} times the prediction"


def _beyond(record: NearBudget) -> str:
    if record.factor_after * NEAR[0] <= 1:
        return ""
    return "; every net that keeps the budget now is predicted below those measured, so they stand for it less well"
