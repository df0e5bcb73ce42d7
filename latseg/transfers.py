"""The result of ``RunHandle.transfer``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latseg.table import Table

if TYPE_CHECKING:
    from search.transfers.transfer import Transferred


@dataclass(frozen=True, slots=True)
class TransferredNet:
    """A net of a run that was trained for another task."""

    run: str
    """Id of the run."""
    result: Transferred

    @property
    def folder(self) -> Path:
        """Its files, in the folder of the run."""
        return self.result.folder

    @property
    def rows(self) -> Table:
        """One row for each start that was trained: with the winner's weights, and from scratch."""
        record = self.result.record
        return Table(
            [
                {
                    "task": f"{record.task}, {len(record.classes)} classes",
                    "start": one.start,
                    "epochs": one.epochs,
                    "parameters": record.parameters,
                    "latency": "; ".join(latency.text for latency in record.latencies) or None,
                    **one.metrics,
                }
                for one in record.results
            ]
        )

    def to_json(self) -> dict[str, Any]:
        """The document of ``latseg transfer --json``."""
        return {
            "run": self.run,
            "folder": str(self.folder),
            **self.result.record.to_json(),
            "data_notes": list(self.result.data_notes),
            "notes": list(self.result.trained.notes),
        }
