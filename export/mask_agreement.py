"""How far two masks agree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]


def mean_iou(expected: Sequence[Array], answers: Sequence[Array]) -> float:
    """Intersection over union per class that occurs in either, pixels of all masks pooled, mean over the classes.

    Masks hold class numbers; two of different shape do not agree at all (0).
    """
    if any(e.shape != a.shape for e, a in zip(expected, answers, strict=True)):
        return 0.0
    truth = np.concatenate([mask.ravel() for mask in expected])
    guess = np.concatenate([mask.ravel() for mask in answers])
    shares = [
        np.count_nonzero((truth == label) & (guess == label)) / np.count_nonzero((truth == label) | (guess == label))
        for label in np.union1d(truth, guess)
    ]
    return float(np.mean(shares))
