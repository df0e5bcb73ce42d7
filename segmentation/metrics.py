"""Quality of a segmentation from its confusion matrix.

All counts run over all labelled pixels of all images (one matrix per data set, not the mean of per-image scores).
A class that occurs neither in the truth nor in the prediction has no score (``None``) and is left out of the means; a
class that is predicted but never true, or true but never predicted, scores 0 and counts.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from segmentation.losses import IGNORE


@dataclass(frozen=True, slots=True)
class Quality:
    """Scores of a net on a data set, each in 0..1, per class in the order of the classes."""

    mean_iou: float
    mean_f1: float
    pixel_accuracy: float
    iou_per_class: tuple[float | None, ...]
    f1_per_class: tuple[float | None, ...]
    images: int

    @property
    def foreground_iou(self) -> float:
        """Mean intersection over union of all classes but the first (the background): the person's for two classes."""
        return _mean(self.iou_per_class[1:])

    def to_json(self) -> dict[str, Any]:
        """Plain numbers and lists, ``foreground_iou`` included."""
        return asdict(self) | {"foreground_iou": self.foreground_iou}


class ConfusionMatrix:
    """Counts of labelled pixels by true class (row) and predicted class (column)."""

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.counts: npt.NDArray[np.int64] = np.zeros((classes, classes), np.int64)

    def update(self, predicted: Tensor, target: Tensor) -> None:
        """Adds class maps of equal shape, integers; pixels whose target is ``IGNORE`` do not count."""
        truth = target.reshape(-1).long()
        pairs = truth * self.classes + predicted.reshape(-1).long()
        counts = pairs[truth != IGNORE].bincount(minlength=self.classes**2)
        self.counts += counts.cpu().numpy().reshape(self.classes, self.classes)

    def quality(self, images: int) -> Quality:
        """All scores of the matrix, which was counted over ``images`` images; 0 when nothing was counted."""
        hits, true, predicted = np.diag(self.counts), self.counts.sum(1), self.counts.sum(0)
        iou, f1 = _ratios(hits, true + predicted - hits), _ratios(2 * hits, true + predicted)
        return Quality(
            mean_iou=_mean(iou),
            mean_f1=_mean(f1),
            pixel_accuracy=float(hits.sum() / max(1, true.sum())),
            iou_per_class=iou,
            f1_per_class=f1,
            images=images,
        )


def _ratios(numerators: npt.NDArray[np.int64], denominators: npt.NDArray[np.int64]) -> tuple[float | None, ...]:
    pairs = zip(numerators.tolist(), denominators.tolist(), strict=True)
    return tuple(None if below == 0 else above / below for above, below in pairs)


def _mean(scores: tuple[float | None, ...]) -> float:
    known = [score for score in scores if score is not None]
    return sum(known) / len(known) if known else 0.0
