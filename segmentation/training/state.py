"""The state of a full training, how it is saved in a checkpoint and restored."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter
from torch import nn
from torch.optim.swa_utils import AveragedModel

from foundation.errors import UserError
from segmentation.data.source import DataSource
from segmentation.metrics import Quality
from segmentation.training.checkpoint import WEIGHTS, TrainedParts, damage_told, load_checkpoint
from segmentation.training.settings import TrainSettings

_TRAINED = "trained."
_QUALITY = TypeAdapter(Quality | None)

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """An epoch's mean loss and, where it was evaluated, the moving average's mean IoU on the validation part."""

    epoch: int
    loss: float
    mean_iou: float | None


@dataclass(slots=True)
class TrainingState:
    """The trained network, the moving average of its weights, the optimiser, and the number of updates done.

    The order of the images and the augmentation follow from the seed and ``step``, so no random generator's state is
    saved, and a resumed training ends with the same weights as an uninterrupted one.
    """

    network: nn.Module
    average: AveragedModel
    optimiser: torch.optim.AdamW
    settings: TrainSettings
    source: DataSource
    taught_by: str = ""
    """Identity of a teacher whose outputs are stored and of photographs without masks; empty where there are none."""
    step: int = 0
    losses: list[float] = field(default_factory=list)
    """Losses of the running epoch."""
    history: list[EpochRecord] = field(default_factory=list)
    quality: Quality | None = None
    """Of the last evaluation on the validation part."""
    earlier_seconds: float = 0.0
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Time spent in training, including before an interruption."""
        return self.earlier_seconds + time.monotonic() - self.started

    @property
    def best_mean_iou(self) -> float | None:
        """Highest mean IoU of the epochs that were evaluated."""
        return max((record.mean_iou for record in self.history if record.mean_iou is not None), default=None)

    def save(self, path: Path) -> None:
        """Writes the checkpoint.

        Raises:
            UserError: as ``save_checkpoint``.
        """
        self._parts.save(path, self._document())

    def restore(self, path: Path) -> None:
        """Loads the state that a checkpoint holds.

        Raises:
            UserError: the checkpoint is unreadable or of another network, other settings or other data.
        """
        tensors, document = load_checkpoint(path)
        with damage_told(path):
            self._check(document, path)
            self._parts.restore(path, tensors, document)
            self.step = int(document["step"])
            self.average.n_averaged.fill_(self.step + 1)
            self.losses = [float(loss) for loss in document["losses"]]
            self.history = [EpochRecord(*record) for record in document["history"]]
            self.quality = _QUALITY.validate_python(document["quality"])
            self.earlier_seconds, self.started = float(document["seconds"]), time.monotonic()
        _logger.info("resumed %s after %d updates and %d epochs", path, self.step, len(self.history))

    @property
    def _parts(self) -> TrainedParts:
        networks = {WEIGHTS: self.average.module, _TRAINED: self.network}
        return TrainedParts(networks, self.optimiser, self.source)

    def _document(self) -> dict[str, Any]:
        return {
            "kind": "training",
            "settings": self.settings.to_json(),
            "source": self.source.name,
            "images": len(self.source.train),
            "classes": list(self.source.classes),
            "taught_by": self.taught_by,
            "step": self.step,
            "losses": self.losses,
            "history": [(record.epoch, record.loss, record.mean_iou) for record in self.history],
            "quality": self.quality.to_json() if self.quality else None,
            "seconds": self.seconds,
        }

    def _check(self, document: dict[str, Any], path: Path) -> None:
        if document.get("kind") != "training":
            raise UserError(
                "checkpoint", seen=f"{path} without the state of training", expected="a checkpoint written by training",
                remedy="delete the file to train from the start",
            )  # fmt: skip
        other = self.settings.difference(document["settings"])
        data = (self.source.name, len(self.source.train))
        if other is None and (document["source"], document["images"]) != data:
            other = f"{document['images']} images of {document['source']} (now {data[1]} of {data[0]})"
        if other is None and document.get("taught_by", "") != self.taught_by:
            other = "another teacher or other photographs without masks"
        if other is not None:
            raise UserError(
                "checkpoint", seen=f"{path} written with {other}", expected="the same settings, data and teacher",
                remedy="resume with those, or delete the file to train from the start",
            )  # fmt: skip
