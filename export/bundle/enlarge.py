"""Planes of numbers enlarged to a picture's size: bilinearly, or along the edges of the picture.

Needs numpy and Pillow only: the text of this file is also part of a bundle's ``segment.py``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from foundation.picture import Pixels

Floats = NDArray[np.float32]

SIDE_PER_RADIUS = 32
"""The shorter side of a plane by the radius of a window; chosen with ``EVEN`` by ``benchmarks/masks.py``."""
EVEN = 3e-4
"""Variance of colours in 0..1 (epsilon of the paper): windows that vary less count as even."""
_ROWS = 32


def bilinear(plane: Floats, height: int, width: int) -> Floats:
    """The plane at height x width."""
    resized = Image.fromarray(np.ascontiguousarray(plane)).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized)


class Guide:
    """A picture that guides the enlargement of planes: the fast guided filter with a colour guide.

    In each window a plane is a linear function of the picture's colours. The functions are found at the size of the
    plane; they are what is enlarged, and then applied to the picture of full size.

    Sources: He and Sun, "Fast guided filter", arXiv 1505.00996; He, Sun and Tang, "Guided image filtering", IEEE TPAMI
    35(6), 2013, equations 14 to 16 and 19.

    Args:
        rgb: the picture, of full size.
        height: of the planes.
        width: of the planes.
    """

    def __init__(self, rgb: Pixels, height: int, width: int) -> None:
        self._rgb = rgb
        self._radius = max(1, round(min(height, width) / SIDE_PER_RADIUS))
        small = Image.fromarray(rgb).resize((width, height), Image.Resampling.BILINEAR)
        self._small = np.asarray(small, np.float32) / np.float32(255)
        self._mean = _window_means(self._small, self._radius)
        products = self._small[..., :, None] * self._small[..., None, :]
        covariance = _window_means(products, self._radius) - self._mean[..., :, None] * self._mean[..., None, :]
        self._inverse = np.linalg.inv(covariance + np.float32(EVEN) * np.eye(3, dtype=np.float32))

    def enlarge(self, plane: Floats) -> Floats:
        """The plane at the picture's size."""
        mean = _window_means(plane[..., None], self._radius)
        covariance = _window_means(plane[..., None] * self._small, self._radius) - mean * self._mean
        slopes = np.matmul(self._inverse, covariance[..., None])[..., 0]
        offsets = mean - (slopes * self._mean).sum(-1, keepdims=True)
        coefficients = _window_means(np.concatenate([slopes / np.float32(255), offsets], axis=2), self._radius)
        return self._applied(coefficients)

    def _applied(self, coefficients: Floats) -> Floats:
        """Enlarged slopes times colours plus enlarged offsets; a few rows at a time, to stay in the cache."""
        height, width, channels = self._rgb.shape
        planes = [bilinear(coefficients[..., one], len(coefficients), width) for one in range(channels + 1)]
        places = np.clip((np.arange(height) + 0.5) * len(coefficients) / height - 0.5, 0, len(coefficients) - 1)
        above = places.astype(int)
        below, shares = np.minimum(above + 1, len(coefficients) - 1), (places - above).astype(np.float32)[:, None]
        enlarged = np.empty((height, width), np.float32)
        for start in range(0, height, _ROWS):
            rows = slice(start, start + _ROWS)
            upper, lower, share = above[rows], below[rows], shares[rows]
            *slopes, total = (plane[upper] + share * (plane[lower] - plane[upper]) for plane in planes)
            for channel, slope in enumerate(slopes):
                total += slope * self._rgb[rows, :, channel]
            enlarged[rows] = total
        return enlarged


def _window_means(values: Floats, radius: int) -> Floats:
    """Means over windows of (2 radius + 1)², which are cut at the border; height x width x any, the same shape."""
    for axis in (0, 1):
        size = values.shape[axis]
        ends = np.minimum(np.arange(size) + radius + 1, size)
        starts = np.maximum(np.arange(size) - radius, 0)
        sums = np.insert(np.cumsum(values, axis), 0, 0, axis)
        counts = (ends - starts).astype(np.float32).reshape([-1 if one == axis else 1 for one in range(values.ndim)])
        values = (np.take(sums, ends, axis) - np.take(sums, starts, axis)) / counts
    return values
