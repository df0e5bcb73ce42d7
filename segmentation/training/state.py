"""All that training changes from update to update, and its way into a checkpoint and back."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from foundation.errors import UserError
from segmentation.data.source import DataSource
from segmentation.metrics import Quality
from segmentation.training.checkpoint import WEIGHTS, load_checkpoint, put_state, save_checkpoint, with_prefix
from segmentation.training.ema import MovingAverage
from segmentation.training.settings import TrainSettings

_TRAINED, _OPTIMISER = "trained.", "optimiser."


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """What is remembered of an epoch: mean loss and, where it was judged, the moving average's mean IoU."""

    epoch: int
    loss: float
    mean_iou: float | None


@dataclass(slots=True)
class TrainingState:
    """The net in training, its moving average, the optimiser, and how far they are.

    Order of the images and augmentation follow from the seed and ``step``, so no state of a random generator belongs to
    it: training that goes on from any step goes on as if it had never stopped.
    """

    network: nn.Module
    average: MovingAverage
    optimiser: torch.optim.AdamW
    settings: TrainSettings
    source: DataSource
    step: int = 0
    losses: list[float] = field(default_factory=list)
    """Losses of the epoch under way."""
    history: list[EpochRecord] = field(default_factory=list)
    quality: Quality | None = None
    """Of the last look at the validation split."""
    earlier_seconds: float = 0.0
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Time spent in training, including before an interruption."""
        return self.earlier_seconds + time.monotonic() - self.started

    @property
    def best_mean_iou(self) -> float | None:
        """Highest mean IoU of the epochs that were judged."""
        return max((record.mean_iou for record in self.history if record.mean_iou is not None), default=None)

    def save(self, path: Path) -> None:
        """Writes the checkpoint.

        Raises:
            UserError: as ``save_checkpoint``.
        """
        tensors = with_prefix(self.average.network, WEIGHTS) | with_prefix(self.network, _TRAINED)
        save_checkpoint(path, tensors | _optimiser_tensors(self.optimiser), self._document())

    def restore(self, path: Path) -> None:
        """Goes back to where a checkpoint was written.

        Raises:
            UserError: the checkpoint is unreadable or of another net, other settings or other data.
        """
        tensors, document = load_checkpoint(path)
        self._check(document, path)
        put_state(self.average.network, tensors, WEIGHTS, path)
        put_state(self.network, tensors, _TRAINED, path)
        _restore_optimiser(self.optimiser, tensors)
        self.step = int(document["step"])
        self.losses = [float(loss) for loss in document["losses"]]
        self.history = [EpochRecord(*record) for record in document["history"]]
        self.quality = Quality.from_json(document["quality"]) if document["quality"] else None
        self.earlier_seconds, self.started = float(document["seconds"]), time.monotonic()

    def _document(self) -> dict[str, Any]:
        return {
            "kind": "training",
            "settings": self.settings.to_json(),
            "source": self.source.name,
            "images": len(self.source.train),
            "classes": list(self.source.classes),
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
                remedy="start anew without resuming",
            )  # fmt: skip
        other = self.settings.difference(document["settings"])
        data = (self.source.name, len(self.source.train))
        if other is None and (document["source"], document["images"]) != data:
            other = f"{document['images']} images of {document['source']} (now {data[1]} of {data[0]})"
        if other is not None:
            raise UserError(
                "checkpoint", seen=f"{path} written with {other}", expected="the same settings and data",
                remedy="resume with those, or start anew without resuming",
            )  # fmt: skip


def _optimiser_tensors(optimiser: torch.optim.AdamW) -> dict[str, Tensor]:
    state: dict[int, dict[str, Tensor]] = optimiser.state_dict()["state"]
    return {f"{_OPTIMISER}{number}.{name}": value for number, values in state.items() for name, value in values.items()}


def _restore_optimiser(optimiser: torch.optim.AdamW, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(_OPTIMISER):
            number, name = key.removeprefix(_OPTIMISER).split(".")
            state.setdefault(int(number), {})[name] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
