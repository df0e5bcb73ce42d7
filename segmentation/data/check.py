"""Everything that can be said of a data source before it is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foundation.errors import UserError
from foundation.progress import OnProgress, Progress, ignore_progress
from segmentation.data.equal_files import with_equal_bytes
from segmentation.data.exif import picture_shape
from segmentation.data.registry import open_unchecked
from segmentation.data.source import DataOptions, DataSource, PairDataset
from segmentation.losses import IGNORE

_LEARNED = ("train", "validation")
"""Parts in which every class must occur."""


@dataclass(frozen=True, slots=True)
class PartCheck:
    """What one part holds."""

    pairs: int
    pixels: Mapping[str, int]
    """By class, at the size to which pairs are brought; those without label come last."""
    sizes: Sequence[tuple[int, int]]
    """Different heights and widths of the pictures' files, the smallest area first."""
    size_mismatches: int
    """Masks of another size than their pictures."""
    unreadable: int


@dataclass(frozen=True, slots=True)
class DataCheck:
    """What a source holds, and what is wrong with it; ``to_json`` is the document of ``latseg data check``."""

    name: str
    size: tuple[int, int]
    """Height and width to which pairs are brought."""
    source: DataSource | None
    """None where it cannot be opened."""
    parts: Mapping[str, PartCheck]
    faults: tuple[str, ...]
    """Why it cannot be used, a line each."""
    remarks: tuple[str, ...]
    """What should be looked at although it can be used, a line each."""

    @property
    def readable(self) -> bool:
        """Whether every pair can be read."""
        return self.source is not None and not any(part.unreadable for part in self.parts.values())

    @property
    def usable(self) -> bool:
        """Whether networks can be trained on it."""
        return not self.faults

    def to_json(self) -> dict[str, Any]:
        """Plain JSON object."""
        classes = self.source.classes if self.source else ()
        swaps = self.source.flip_swaps if self.source else ()
        return {
            "data": self.name,
            "usable": self.usable,
            "classes": list(classes),
            "flip_swaps": [[classes[left], classes[right]] for left, right in swaps],
            "size": list(self.size),
            "parts": {name: asdict(part) | {"pixels": dict(part.pixels)} for name, part in self.parts.items()},
            "pictures_without_mask": self.source.without_mask if self.source else None,
            "problems": [*self.faults, *self.remarks],
            "notes": list(self.source.notes) if self.source else [],
        }


def check_data(text: str, options: DataOptions, *, on_progress: OnProgress = ignore_progress) -> DataCheck:
    """Opens a source and reads every pair of it.

    A source that is refused for the size of a mask is opened once more with masks resized, so that all are listed.
    """
    try:
        source, refused = open_unchecked(text, options), ""
    except UserError as error:
        refused = str(error)
        try:
            source = open_unchecked(text, replace(options, resize_masks=True))
        except UserError:
            return DataCheck(text, options.size, None, {}, (refused,), ())
    return _checked(source, refused, on_progress)


def _checked(source: DataSource, refused: str, on_progress: OnProgress) -> DataCheck:
    faults: list[str] = []
    sizes: list[str] = []
    parts = {}
    for name, part in _parts(source).items():
        parts[name] = _part(name, part, source.classes, faults, sizes, on_progress)
    remarks = [f"{len(sizes)} masks of another size are resized, such as {sizes[0]}"] if sizes and not refused else []
    if refused:
        faults += sizes or [refused]
    for name, check in parts.items():
        absent = [label for label in source.classes if check.pairs and not check.pixels[label]]
        if absent:
            (faults if name in _LEARNED else remarks).append(f"{name}: no pixel of {', '.join(absent)}")
    if not parts["test"].pairs:
        remarks.append("test: no pairs, so nothing is left for a final score")
    remarks += _repeated(source)
    return DataCheck(source.name, source.train.size, source, parts, tuple(faults), tuple(remarks))


def _parts(source: DataSource) -> dict[str, PairDataset]:
    return {"train": source.train, "validation": source.validation, "test": source.test}


def _part(
    name: str,
    part: PairDataset,
    classes: Sequence[str],
    faults: list[str],
    mismatches: list[str],
    on_progress: OnProgress,
) -> PartCheck:
    """Reads the pairs; adds what is wrong to ``faults`` and ``mismatches``, a line each."""
    counts = np.zeros(IGNORE + 1, np.int64)
    sizes: set[tuple[int, int]] = set()
    before, unreadable = len(mismatches), 0
    for index in range(len(part)):
        on_progress(Progress(name, index, len(part)))
        try:
            counts += _counts(part.make(index)[1])
        except UserError as error:
            faults.append(str(error))
            unreadable += 1
            continue
        shapes = [picture_shape(path).size for path in part.paths(index)]
        sizes.update(shapes[:1])
        if len(set(shapes)) > 1:
            picture, mask = (f"{width} x {height}" for height, width in shapes)
            mismatches.append(f"{name}: {part.paths(index)[1]} has {mask} pixels, its picture {picture}")
    on_progress(Progress(name, len(part), len(part)))
    pixels = dict(zip(classes, counts.tolist(), strict=False)) | {"no label": int(counts[IGNORE])}
    by_area = sorted(sizes, key=lambda size: (size[0] * size[1], size))
    return PartCheck(len(part), pixels, by_area, len(mismatches) - before, unreadable)


def _counts(mask: NDArray[np.uint8]) -> NDArray[np.int64]:
    return np.bincount(mask.reshape(-1), minlength=IGNORE + 1)


def _repeated(source: DataSource) -> Iterator[str]:
    """Pictures with the same content in two parts."""
    part_of: dict[Path, str] = {}
    for name, part in _parts(source).items():
        for index in range(len(part)):
            for path in part.paths(index)[:1]:
                part_of.setdefault(path, name)
    for group in with_equal_bytes(list(part_of)):
        if len({part_of[path] for path in group}) > 1:
            yield "the same picture in several parts: " + ", ".join(f"{part_of[path]} {path}" for path in group)
