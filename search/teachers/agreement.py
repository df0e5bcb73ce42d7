"""How well a teacher agrees with the masks of the validation part, and the pictures on which it agrees least."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import ImageDraw
from torch import Tensor

from foundation.class_colours import painted
from foundation.overlay import overlay
from segmentation.data.picture_rows import LINE, pixels, row, sheet, write_line
from segmentation.data.source import DataSource
from segmentation.losses import match_size
from segmentation.metrics import ConfusionMatrix
from segmentation.training.soft_labels import SoftLabels

_WORST = 6
_TEXT_WIDTH = 220


@dataclass(frozen=True, slots=True)
class Agreement:
    """Scores of a teacher against masks."""

    mean_iou: float
    """Over all pixels of all pictures."""
    pictures: int
    """On which it gave an answer."""
    of_each: tuple[float | None, ...]
    """Mean IoU of each picture; None where the teacher failed."""


def agreement(labels: SoftLabels, source: DataSource) -> Agreement:
    """Compares the teacher's answers on the validation part with its masks."""
    classes = len(source.classes)
    total = ConfusionMatrix(classes)
    of_each: list[float | None] = []
    for index in range(len(labels)):
        if not labels.known[index]:
            of_each.append(None)
            continue
        one = ConfusionMatrix(classes)
        mask = source.validation[index][1]
        one.update(_classes(labels, index, mask), mask)
        total.counts += one.counts
        of_each.append(one.quality(1).mean_iou)
    pictures = sum(score is not None for score in of_each)
    return Agreement(total.quality(pictures).mean_iou, pictures, tuple(of_each))


def worst_pictures(found: Agreement, labels: SoftLabels, source: DataSource, *, photographs: bool = True) -> bytes:
    """A PNG of the validation pictures on which the teacher agrees least: picture, mask, and what the teacher says.

    Without ``photographs`` it shows the masks alone.
    """
    scores = {index: score for index, score in enumerate(found.of_each) if score is not None}
    rows = []
    for index in sorted(scores, key=lambda index: scores[index])[:_WORST]:
        image, mask = source.validation[index]
        said = _classes(labels, index, mask)
        masks = [each.numpy().astype(np.uint8) for each in (mask, said)]
        laid_over = [pixels(image), *(overlay(pixels(image), each) for each in masks)]
        made, left = row(laid_over if photographs else [painted(each) for each in masks], _TEXT_WIDTH)
        where = "left: picture, middle: mask" if photographs else "left: mask"
        lines = (f"mean IoU {scores[index]:.3f}", where, "right: teacher")
        for number, line in enumerate(lines):
            write_line(ImageDraw.Draw(made), (left, number * LINE), line, _TEXT_WIDTH)
        rows.append(made)
    return sheet(f"the {len(rows)} of {found.pictures} validation pictures on which the teacher agrees least", rows)


def _classes(labels: SoftLabels, index: int, mask: Tensor) -> Tensor:
    """The teacher's class of every pixel of a mask."""
    return match_size(labels.batch([index]), mask.shape[-2:]).argmax(1)[0]
