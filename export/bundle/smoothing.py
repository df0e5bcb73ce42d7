"""Steadier masks of videos: logits are averaged over time where the picture stays as it is."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from export.bundle.enlarge import Floats
from export.bundle.preprocess import Placement, window
from foundation.picture import Pixels

STILL = 10
"""Levels of 255 up to which a colour of the network's input counts as unchanged: more than the noise of a camera."""
SHARE = 0.3
"""Of a new frame in the average, where the picture stays; chosen by ``benchmarks/video.py``."""


@dataclass(slots=True)
class Flicker:
    """Mean absolute change of the foreground from frame to frame where the picture does not change.

    As the temporal error dtSSD of Erofeev et al., "Perceptually motivated benchmark for video matting", BMVC 2015, but
    with absolute values, and without true masks: where the picture stays, the true mask stays.
    """

    _sum: float = 0.0
    _count: int = 0

    def add(self, before: Floats, after: Floats, still: NDArray[np.bool_]) -> None:
        """Counts the pixels of two frames in a row."""
        self._sum += float(np.abs(after - before)[still].sum())
        self._count += int(still.sum())

    @property
    def percent(self) -> float | None:
        """0 for masks that stay, 100 for ones that jump; None where no pixel stayed."""
        return 100 * self._sum / self._count if self._count else None


@dataclass(slots=True)
class Smoother:
    """Follows a video; a frame's logits become the average of the earlier ones where its colours stay.

    A pixel that changes by more than ``STILL`` is taken as it is, so that masks of what moves do not lag.
    """

    enabled: bool = True
    before: Flicker = field(default_factory=Flicker)
    """Of the network's own masks."""
    after: Flicker = field(default_factory=Flicker)
    """Of the smoothed masks."""
    _last: tuple[Pixels, Floats, Floats] | None = None

    def smoothed(self, pixels: Pixels, logits: Floats, placement: Placement) -> Floats:
        """The frame's logits, smoothed where that is enabled.

        Args:
            pixels: the network's input before it is normalised, height x width x 3.
            logits: 1 x classes x height x width.
            placement: of the frame in the input.
        """
        average = logits
        if self._last is not None:
            last_pixels, last_logits, last_average = self._last
            still = unchanged(last_pixels, pixels)
            if self.enabled:
                weights = np.where(still, np.float32(SHARE), np.float32(1))
                average = last_average + weights * (logits - last_average)
            at = window(placement)
            self.before.add(foreground(last_logits)[at], foreground(logits)[at], still[at])
            self.after.add(foreground(last_average)[at], foreground(average)[at], still[at])
        self._last = pixels, logits, average
        return average


def unchanged(before: Pixels, after: Pixels) -> NDArray[np.bool_]:
    """Where no colour of two pictures of height x width x 3 differs by more than ``STILL``."""
    return np.asarray(np.abs(after.astype(np.int16) - before).max(2) <= STILL)


def foreground(logits: Floats) -> Floats:
    """Its probability, height x width, of logits 1 x classes x height x width."""
    shares = np.exp(logits[0] - logits[0].max(0))
    return np.asarray(1 - shares[0] / shares.sum(0), np.float32)
