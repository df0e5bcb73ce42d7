"""Reliability of a probability: what share of the pixels with an opacity of 0.7 is foreground?

Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from segmentation.losses import IGNORE

BINS = 10
"""Of equal width, from 0 to 1."""

_Share = Annotated[float, Field(ge=0, le=1)]


class ReliabilityBin(BaseModel):
    """The labelled pixels whose foreground probability lies in one bin."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pixels: Annotated[int, Field(ge=1)]
    mean_probability: _Share
    observed_share: _Share
    """Share of them that is foreground: of any class but the first."""


class Reliability:
    """Counts pixels by their foreground probability."""

    def __init__(self) -> None:
        self._pixels = np.zeros(BINS, np.int64)
        self._probability = np.zeros(BINS)
        self._foreground = np.zeros(BINS)

    def update(self, probability: NDArray[np.float32], truth: NDArray[np.uint8]) -> None:
        """Adds a picture: foreground probability and true class numbers, both height x width; 255 does not count.

        A probability that is not a number (NaN) counts as 0.
        """
        known = truth != IGNORE
        values = np.clip(np.nan_to_num(probability[known].astype(np.float64)), 0, 1)
        places = np.minimum((values * BINS).astype(np.int64), BINS - 1)
        self._pixels += np.bincount(places, minlength=BINS)
        self._probability += np.bincount(places, values, BINS)
        self._foreground += np.bincount(places, truth[known] > 0, BINS)

    def bins(self) -> tuple[ReliabilityBin, ...]:
        """Those with pixels, by probability."""
        return tuple(
            ReliabilityBin(
                pixels=int(pixels),
                mean_probability=min(1.0, float(probability / pixels)),
                observed_share=float(foreground / pixels),
            )
            for pixels, probability, foreground in zip(self._pixels, self._probability, self._foreground, strict=True)
            if pixels
        )


def expected_calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """Mean over all pixels of the difference between the probability and the observed share of their bin."""
    total = sum(each.pixels for each in bins)
    return sum(each.pixels * abs(each.mean_probability - each.observed_share) for each in bins) / max(1, total)
