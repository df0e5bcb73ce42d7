"""What a winner reached on another task; a file in the folder of the transfer."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from foundation.checked_record import read_checked, write_checked
from search.options import Count, Milliseconds, Size

FILE_NAME = "transfer.json"
Start = Literal["winner", "scratch"]
"""Whether a net began with the weights of the trained winner, or with random ones."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TransferLatency(_Record):
    """Latency of the net for the other task on a device of the run."""

    device: str
    budget_ms: Milliseconds
    """Of the run, which is for its own task."""
    latency_ms: Milliseconds
    interval_ms: tuple[float, float] | None = None
    """95 % interval of a measurement; None of a prediction."""
    upper_ms: float | None = None
    """Calibrated upper bound of a prediction; None of a measurement."""
    simulated: bool

    @property
    def measured(self) -> bool:
        """Whether it was measured, and not predicted."""
        return self.upper_ms is None

    @property
    def text(self) -> str:
        """For people."""
        how = "measured" if self.measured else f"predicted, at most {self.upper_ms:.3f} ms"
        simulated = ", SIMULATED" if self.simulated else ""
        return f"{self.latency_ms:.3f} ms on {self.device} ({how}{simulated})"


class TransferResult(_Record):
    """A finished training."""

    start: Start
    epochs: Count
    seconds: float
    metrics: dict[str, float]
    """On the validation part, each from 0 to 1."""
    main: str
    """The metric that counts first."""
    examples: Count
    """Validation pictures."""
    checkpoint: str
    """File of the weights in the folder of the transfer."""
    winner_sha256: str | None = None
    """Of the winner's checkpoint with which it began; None from scratch."""


class TransferRecord(_Record):
    """A net of a run on another task."""

    winner: str
    """Its id."""
    task: str
    """``segmentation`` or ``classification``."""
    data: str
    classes: tuple[str, ...]
    input_size: Size
    parameters: Count
    latencies: tuple[TransferLatency, ...] = ()
    """One for each device of the run; a known network's run has none."""
    results: tuple[TransferResult, ...] = ()
    """At most one for each start."""

    def with_result(self, result: TransferResult) -> TransferRecord:
        """The record with this result in the place of an earlier one of the same start."""
        others = [one for one in self.results if one.start != result.start]
        ordered = sorted([*others, result], key=lambda one: one.start != "winner")
        return self.model_copy(update={"results": tuple(ordered)})

    def to_json(self) -> dict[str, Any]:
        """Plain JSON object."""
        document = self.model_dump(mode="json")
        for latency, plain in zip(self.latencies, document["latencies"], strict=True):
            plain["measured"] = latency.measured
        return document


def write_transfer(folder: Path, record: TransferRecord) -> None:
    """Writes ``transfer.json``, whole or not at all."""
    write_checked(folder / FILE_NAME, record)


def read_transfer(folder: Path) -> TransferRecord | None:
    """Reads ``transfer.json``; None where there is none yet.

    Raises:
        UserError: the file is damaged.
    """
    remedy = "delete the file; `latseg transfer` writes it anew from the trained weights"
    return read_checked(folder / FILE_NAME, TransferRecord, remedy=remedy)
