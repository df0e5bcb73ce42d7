"""Which values the masks of a folder hold, and in how many pixels."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from segmentation.data.mask_planes import Kind, MaskPlanes, Values, read_planes

_logger = logging.getLogger(__name__)

_THREADS = 4
_MIDDLE = 128


@dataclass(frozen=True, slots=True, eq=False)
class MaskCounts:
    """The different values of one mask, as ``MaskPlanes`` has them, with the number of pixels of each."""

    path: Path
    kind: Kind
    values: Values
    """Floats up to 1 are rounded to multiples of 1/255, other floats to whole numbers."""
    pixels: Values
    palette: Values | None
    opacity: Values | None
    """The different opacities."""
    opacity_pixels: Values | None
    alpha_channel: bool
    opacity_agrees: bool
    """Whether the opaque pixels are exactly the light ones."""
    lossy: bool

    @property
    def colours(self) -> frozenset[int]:
        """The different colours, ``0xRRGGBB``; grey values as such."""
        if self.palette is not None:
            return frozenset(self.palette[self.values].tolist())
        return frozenset(self.values.tolist())


def count_masks(paths: Sequence[Path]) -> list[MaskCounts]:
    """Reads every mask; what was read once in this process is not read again while the file is unchanged.

    Raises:
        PictureError: missing or no picture.
        UserError: as ``read_planes``.
    """
    _logger.info("reading %d masks", len(paths))
    with ThreadPoolExecutor(_THREADS) as threads:
        return list(threads.map(_known_counts, paths))


def _known_counts(path: Path) -> MaskCounts:
    try:
        status = path.stat()
    except OSError:
        return counts_of(path, read_planes(path))
    return _counts(path, status.st_size, status.st_mtime_ns, status.st_ino)


@lru_cache(maxsize=100_000)
def _counts(path: Path, *_version: int) -> MaskCounts:
    return counts_of(path, read_planes(path))


def counts_of(path: Path, planes: MaskPlanes) -> MaskCounts:
    """The counts of one mask that was read."""
    values, pixels = _unique(rounded(planes.values))
    opacity, opacity_pixels = (None, None) if planes.opacity is None else _unique(planes.opacity)
    return MaskCounts(
        path, planes.kind, values, pixels, planes.palette, opacity, opacity_pixels, planes.alpha_channel,
        _opacity_agrees(planes), planes.lossy,
    )  # fmt: skip


def rounded(values: Values) -> Values:
    """Floats up to 1 as multiples of 1/255, other floats as whole numbers; what is no float is returned as it is."""
    if not np.issubdtype(values.dtype, np.floating):
        return values
    if values.max(initial=0) > 1:
        return np.rint(values)
    return np.rint(values.astype(np.float64) * 255) / 255


def _unique(values: Values) -> tuple[Values, Values]:
    if values.dtype == np.uint8:
        counts = np.bincount(values.reshape(-1), minlength=256)
        return np.flatnonzero(counts).astype(np.uint8), counts[counts > 0]
    return np.unique(values, return_counts=True)


def _opacity_agrees(planes: MaskPlanes) -> bool:
    if planes.opacity is None:
        return False
    colours = planes.values if planes.palette is None else planes.palette[planes.values]
    if planes.palette is not None or planes.kind == "colour":
        colours = (colours >> 16 & 255) + (colours >> 8 & 255) + (colours & 255)
        colours = colours // 3
    return bool(np.array_equal(colours >= _MIDDLE, planes.opacity >= _MIDDLE))
