"""Boundary F-score: how well the outlines of two masks agree.

Csurka, Larlus and Perronnin, "What is a good evaluation measure for semantic segmentation?", BMVC 2013.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from segmentation.losses import IGNORE

TOLERANCE = 2
"""Pixels up to which two outlines agree."""

Mask = NDArray[np.uint8]
_Pixels = NDArray[np.bool_]


def boundary_f1(predicted: Mask, truth: Mask, classes: int, *, tolerance: int = TOLERANCE) -> float | None:
    """Mean over the classes that have an outline in one of the masks; None where none has.

    The outline of a class are its pixels that touch, left, right, above or below, a labelled pixel of another class;
    the edge of the picture is no outline. Precision is the share of the predicted outline that is at most
    ``tolerance`` pixels from the true one, recall the share of the true one that is as near to the predicted one, and
    the score is 2 * precision * recall / (precision + recall).

    Args:
        predicted: class numbers, height x width.
        truth: the same, ``IGNORE`` where there is no label; there is no outline there.
        classes: number of classes.
        tolerance: distance in pixels.
    """
    labelled = truth != IGNORE
    scores = [
        _f1(_outline(predicted == label, labelled), _outline(truth == label, labelled), _disc(tolerance))
        for label in range(classes)
    ]
    known = [score for score in scores if score is not None]
    return sum(known) / len(known) if known else None


def _outline(inside: _Pixels, labelled: _Pixels) -> _Pixels:
    outside = labelled & ~inside
    touches = np.zeros_like(inside)
    touches[1:] |= outside[:-1]
    touches[:-1] |= outside[1:]
    touches[:, 1:] |= outside[:, :-1]
    touches[:, :-1] |= outside[:, 1:]
    return touches & inside & labelled


def _f1(predicted: _Pixels, truth: _Pixels, disc: _Pixels) -> float | None:
    if not predicted.any() and not truth.any():
        return None
    precision, recall = _share_near(predicted, truth, disc), _share_near(truth, predicted, disc)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _share_near(outline: _Pixels, other: _Pixels, disc: _Pixels) -> float:
    near = ndimage.binary_dilation(other, disc)
    return float((outline & near).sum() / max(1, outline.sum()))


def _disc(radius: int) -> _Pixels:
    steps = np.arange(-radius, radius + 1)
    return np.asarray(np.add.outer(steps**2, steps**2) <= radius**2)
