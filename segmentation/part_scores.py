"""Scores of a model on one part of a data source, over all pictures and of the worst ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from foundation.errors import UserError
from foundation.progress import OnProgress, Progress, ignore_progress
from segmentation.boundary import boundary_f1
from segmentation.data.source import PairDataset
from segmentation.metrics import ConfusionMatrix, Quality

WORST = 5
"""Pictures that are named."""

Labels = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
"""From a picture, height x width x 3, to its class numbers, height x width."""


@dataclass(frozen=True, slots=True)
class PictureScore:
    """Mean intersection over union of the classes of one picture."""

    picture: str
    iou: float


@dataclass(frozen=True, slots=True)
class PartScores:
    """Scores over all labelled pixels, the mean boundary F-score of the pictures, and the worst pictures."""

    classes: tuple[str, ...]
    quality: Quality
    boundary_f1: float | None
    """None where no picture has an outline."""
    worst: tuple[PictureScore, ...]
    """The worst first."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON object; scores are from 0 to 1, None for a class that occurs neither in truth nor prediction."""
        return {
            "pictures": self.quality.images,
            "mean_iou": self.quality.mean_iou,
            "mean_f1": self.quality.mean_f1,
            "pixel_accuracy": self.quality.pixel_accuracy,
            "boundary_f1": self.boundary_f1,
            "iou_by_class": dict(zip(self.classes, self.quality.iou_per_class, strict=True)),
            "f1_by_class": dict(zip(self.classes, self.quality.f1_per_class, strict=True)),
            "worst": [{"picture": one.picture, "iou": one.iou} for one in self.worst],
        }


def part_scores(
    labels: Labels, part: PairDataset, classes: Sequence[str], *, on_progress: OnProgress = ignore_progress
) -> PartScores:
    """Scores of a model on every pair of a part.

    Args:
        labels: the model.
        part: pairs; each is read once and not kept.
        classes: names of the classes.
        on_progress: called with each picture.

    Raises:
        UserError: the part has no pairs, or a pair that cannot be read.
    """
    if not len(part):
        raise UserError(
            "part of the data", seen="no pairs", expected="pairs that were held out",
            remedy="add pairs (a folder has a test part from 50 pairs on), make a folder test, or name another --part",
        )  # fmt: skip
    total = ConfusionMatrix(len(classes))
    outlines: list[float] = []
    pictures: list[PictureScore] = []
    for index in range(len(part)):
        on_progress(Progress("evaluate", index, len(part)))
        image, truth = part.make(index)
        predicted = labels(image)
        one = _matrix(predicted, truth, len(classes))
        total.counts += one.counts
        outline = boundary_f1(predicted, truth, len(classes))
        outlines += [] if outline is None else [outline]
        if one.counts.any():
            pictures.append(PictureScore(_name(part, index), one.quality(1).mean_iou))
    on_progress(Progress("evaluate", len(part), len(part)))
    boundary = sum(outlines) / len(outlines) if outlines else None
    worst = sorted(pictures, key=lambda picture: picture.iou)[:WORST]
    return PartScores(tuple(classes), total.quality(len(part)), boundary, tuple(worst))


def _matrix(predicted: NDArray[np.uint8], truth: NDArray[np.uint8], classes: int) -> ConfusionMatrix:
    matrix = ConfusionMatrix(classes)
    matrix.update(torch.from_numpy(predicted), torch.from_numpy(truth))
    return matrix


def _name(part: PairDataset, index: int) -> str:
    paths = part.paths(index)
    return str(paths[0]) if paths else part.identity(index)
