"""Scores of a model on one part of a data source, over all pictures and of each of them."""

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
from segmentation.reliability import Reliability, ReliabilityBin, expected_calibration_error

WORST = 5
"""Pictures that are named."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of a picture, height x width."""

    labels: NDArray[np.uint8]
    """Class numbers."""
    foreground: NDArray[np.float32] | None = None
    """Probability of all classes but the first; None where the model tells none."""


Predict = Callable[[NDArray[np.uint8]], Prediction]
"""A model: from a picture, height x width x 3."""


@dataclass(frozen=True, slots=True)
class PictureScore:
    """Mean intersection over union of the classes of one picture."""

    index: int
    """In its part."""
    picture: str
    iou: float


@dataclass(frozen=True, slots=True)
class PartScores:
    """Scores over all labelled pixels, the mean boundary F-score of the pictures, and the score of each picture."""

    classes: tuple[str, ...]
    quality: Quality
    boundary_f1: float | None
    """None where no picture has an outline."""
    pictures: tuple[PictureScore, ...]
    """Those with labelled pixels, the worst first."""
    confusion: tuple[tuple[int, ...], ...]
    """Labelled pixels by true class (row) and predicted class (column)."""
    reliability: tuple[ReliabilityBin, ...] | None
    """Of the foreground probability; None where the model tells none."""

    @property
    def worst(self) -> tuple[PictureScore, ...]:
        """The worst pictures, the worst first."""
        return self.pictures[:WORST]

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
            "confusion": [list(row) for row in self.confusion],
            "calibration": None if self.reliability is None else _calibration(self.reliability),
        }


def _calibration(bins: Sequence[ReliabilityBin]) -> dict[str, Any]:
    return {
        "expected_calibration_error": expected_calibration_error(bins),
        "bins": [one.model_dump() for one in bins],
    }


def part_scores(
    predict: Predict, part: PairDataset, classes: Sequence[str], *, on_progress: OnProgress = ignore_progress
) -> PartScores:
    """Scores of a model on every pair of a part.

    Args:
        predict: the model.
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
    reliability = Reliability()
    for index in range(len(part)):
        on_progress(Progress("evaluate", index, len(part)))
        image, truth = part.make(index)
        predicted = predict(image)
        one = _matrix(predicted.labels, truth, len(classes))
        total.counts += one.counts
        outline = boundary_f1(predicted.labels, truth, len(classes))
        outlines += [] if outline is None else [outline]
        if one.counts.any():
            pictures.append(PictureScore(index, _name(part, index), one.quality(1).mean_iou))
        if predicted.foreground is not None:
            reliability.update(predicted.foreground, truth)
    on_progress(Progress("evaluate", len(part), len(part)))
    boundary = sum(outlines) / len(outlines) if outlines else None
    return PartScores(
        tuple(classes),
        total.quality(len(part)),
        boundary,
        tuple(sorted(pictures, key=lambda picture: picture.iou)),
        tuple(map(tuple, total.counts.tolist())),
        reliability.bins() or None,
    )


def _matrix(predicted: NDArray[np.uint8], truth: NDArray[np.uint8], classes: int) -> ConfusionMatrix:
    matrix = ConfusionMatrix(classes)
    matrix.update(torch.from_numpy(predicted), torch.from_numpy(truth))
    return matrix


def _name(part: PairDataset, index: int) -> str:
    paths = part.paths(index)
    return str(paths[0]) if paths else part.identity(index)
