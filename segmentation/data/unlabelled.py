"""Photographs without masks: a folder of pictures from which networks learn only what a teacher says of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from typing_extensions import override

from foundation.errors import UserError
from segmentation.data.equal_files import with_equal_bytes
from segmentation.data.folder_pairs import pair_of_size
from segmentation.data.picture_files import left_out, picture_files
from segmentation.data.source import DataSource, Pair, PairDataset
from segmentation.losses import IGNORE


class UnlabelledPictures(PairDataset):
    """Pictures stretched to ``size``, each with a mask in which no pixel has a label."""

    def __init__(self, files: Sequence[Path], *, size: tuple[int, int]) -> None:
        super().__init__(size)
        self.files = tuple(files)

    @override
    def __len__(self) -> int:
        return len(self.files)

    @override
    def identity(self, index: int) -> str:
        return f"{self.files[index].name} {self.files[index].stat().st_size}"

    @override
    def paths(self, index: int) -> tuple[Path, ...]:
        return (self.files[index],)

    @override
    def make(self, index: int) -> Pair:
        return pair_of_size(self.files[index], lambda: np.full(self.size, IGNORE, np.uint8), self.size)

    def only(self, indices: Iterable[int]) -> UnlabelledPictures:
        """The pictures with these numbers."""
        return UnlabelledPictures([self.files[index] for index in indices], size=self.size)


def open_unlabelled(folder: Path, source: DataSource) -> tuple[UnlabelledPictures, tuple[str, ...]]:
    """The pictures of ``folder`` at the size of ``source``, and a sentence on each kind of file that is left out.

    A file with the same bytes as a photograph of ``source`` is left out: it has a mask already, or its score counts.

    Raises:
        UserError: no such folder, or no pictures in it.
    """
    if not folder.is_dir():
        raise UserError(
            "photographs without masks", seen=f"no folder {folder}", expected="a folder of pictures",
            remedy="check the path",
        )  # fmt: skip
    found = picture_files(folder)
    repeated = _repeated(found.pictures, source)
    pictures = [path for path in found.pictures if path not in repeated]
    notes = left_out(folder, found.others, "no pictures that can be read")
    notes += left_out(folder, sorted(repeated), "the same photographs as in the data")
    if not pictures:
        raise UserError(
            "photographs without masks", seen="; ".join([f"no pictures in {folder}", *notes]),
            expected="at least one that is not in the data", remedy="name the folder in which the pictures lie",
        )  # fmt: skip
    return UnlabelledPictures(pictures, size=source.train.size), tuple(notes)


def _repeated(pictures: Sequence[Path], source: DataSource) -> set[Path]:
    parts = (source.train, source.validation, source.test)
    labelled = {path for part in parts for index in range(len(part)) for path in part.paths(index)[:1]}
    groups = with_equal_bytes([*labelled, *(path for path in pictures if path not in labelled)])
    alike = {path for group in groups if labelled.intersection(group) for path in group}
    return {path for path in pictures if path in alike or path in labelled}
