"""What a run measured near its budgets before it began, written down: ``near_budget.json``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from foundation.atomic_file import write_file
from foundation.errors import UserError


class NearBudget(BaseModel):
    """The calibration near one device's budget."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str
    asked: int
    """Nets that were wanted."""
    looked_at: int
    """Random nets that were drawn to find them; those above the limit of parameters were not predicted."""
    nets: int
    """Nets that were measured: they stand behind the calibration."""
    failed: int
    """Nets that the device could not run."""
    ratios: tuple[float, ...]
    """Measured / predicted, one for each net."""
    factor_before: float
    """Upper bound / prediction, before and after."""
    factor_after: float
    statement: str
    """All of it in a sentence or two."""


_RECORDS = TypeAdapter(tuple[NearBudget, ...])


def write_near_budget(path: Path, records: Sequence[NearBudget]) -> None:
    """Writes the records, whole or not at all."""
    write_file(path, _RECORDS.dump_json(tuple(records), indent=2) + b"\n")


def read_near_budget(path: Path) -> tuple[NearBudget, ...]:
    """Reads the records; none where the run measured nothing near its budgets.

    Raises:
        UserError: damaged.
    """
    if not path.is_file():
        return ()
    try:
        return _RECORDS.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        seen, expected = str(error).splitlines()[0], "what `latseg search` wrote"
        remedy = f"go on with the run: `latseg search --resume {path.parent.name}`"
        raise UserError(str(path), seen=seen, expected=expected, remedy=remedy) from error
