"""The files of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RunFolder:
    """``runs/<id>/``."""

    path: Path

    @property
    def trials(self) -> Path:
        """The trial store."""
        return self.path / "trials.sqlite"

    @property
    def near_budget(self) -> Path:
        """What was measured near the budgets before the search began."""
        return self.path / "near_budget.json"

    @property
    def report(self) -> Path:
        """The page that ``latseg report`` writes."""
        return self.path / "report.html"

    def first_look(self, *, photographs: bool = True) -> Path:
        """A few labelled examples of the data, with their pictures or as labels alone."""
        return self.path / ("first_look.png" if photographs else "first_look_labels.png")

    def candidate(self, architecture_id: str) -> Path:
        """ONNX file of a trial that was measured as a candidate winner."""
        return self.path / "candidates" / f"{architecture_id}.onnx"

    def training(self, architecture_id: str) -> Path:
        """Checkpoint of a winner's full training."""
        return self.path / "winners" / f"{architecture_id}.safetensors"

    def trained_record(self, architecture_id: str) -> Path:
        """How good a winner was after its full training."""
        return self.path / "winners" / f"{architecture_id}_trained.json"

    def held_out(self, architecture_id: str) -> Path:
        """How a trained winner does on the test part."""
        return self.path / "winners" / f"{architecture_id}_test.json"

    def held_out_sheet(self, architecture_id: str, *, photographs: bool = True) -> Path:
        """A winner's best, median and worst pictures of the test part, with photographs or as masks alone."""
        return self.path / "winners" / f"{architecture_id}_test{'' if photographs else '_masks'}.png"

    def exported(self, architecture_id: str) -> Path:
        """ONNX file of a winner, as measured for its certificate."""
        return self.path / "winners" / f"{architecture_id}.onnx"

    def transfer(self, transfer_id: str) -> Path:
        """Folder of a winner's training for another task."""
        return self.path / "transfers" / transfer_id

    def bundle(self, architecture_id: str) -> Path:
        """The folder that a user deploys."""
        return self.path / "bundles" / architecture_id
