"""Which of a net's channels are which classes: counts of pixels by true class and by the net's own class."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from search.teachers.forms import Floats, Pixels, shares_of
from segmentation.losses import IGNORE
from segmentation.metrics import ConfusionMatrix

Labels = NDArray[np.int64]
Groups = tuple[tuple[int, ...], ...]
"""The net's classes that are each class of the data but the first, which has all others."""


def labels_of(planes: Floats, values: str) -> Labels:
    """The net's own class of every pixel; of one channel 0 or 1."""
    if values == "classes":
        labels: Labels = planes[0].astype(np.int64)
    else:
        labels = np.argmax(shares_of(planes, values) if len(planes) == 1 else planes, axis=0)
    return labels


def label_counts(labels: Labels, mask: Pixels, classes: int, numbers: int) -> Labels:
    """``classes x numbers``: pixels of a mask by its class and by the net's, which is taken at the nearest place."""
    rows, columns = (
        ((np.arange(side) + 0.5) * found / side).astype(np.int64)
        for side, found in zip(mask.shape, labels.shape, strict=True)
    )
    nearest = np.clip(labels[np.ix_(rows, columns)], 0, numbers - 1)
    known = mask != IGNORE
    pairs = mask[known].astype(np.int64) * numbers + nearest[known]
    return np.bincount(pairs, minlength=classes * numbers).reshape(classes, numbers)


def mean_iou(counts: Labels, groups: Groups) -> float:
    """Of the classes of the data, where the net's classes are grouped like this."""
    columns = [counts[:, list(group)].sum(1) for group in groups]
    matrix = ConfusionMatrix(len(counts))
    matrix.counts = np.stack([counts.sum(1) - sum(columns), *columns], axis=1)
    return matrix.quality(1).mean_iou


def best_groups(counts: Labels) -> tuple[float, Groups]:
    """The grouping that agrees best, and its mean IoU.

    For two classes the second one is one of the net's classes, or all but one; else the net's classes are those of the
    data, in their order.
    """
    groups = max(_groupings(*counts.shape), key=lambda groups: mean_iou(counts, groups))
    return mean_iou(counts, groups), groups


def _groupings(classes: int, numbers: int) -> Iterator[Groups]:
    if classes > 2:
        yield tuple((number,) for number in range(1, classes))
        return
    for number in (*range(1, numbers), 0):
        yield ((number,),)
    if numbers > 2:
        for number in range(numbers):
            yield (tuple(other for other in range(numbers) if other != number),)
