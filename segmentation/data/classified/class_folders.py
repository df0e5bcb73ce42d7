"""``images:PATH``: a folder of pictures for each class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from typing_extensions import override

from segmentation.data.classified.split import split_by_class
from segmentation.data.equal_files import repeated_files
from segmentation.data.folder_pairs import pair_of_size
from segmentation.data.path_options import path_and_options, require_folder, source_name
from segmentation.data.picture_files import left_out, picture_files
from segmentation.data.source import DataOptions, DataSource, Pair, PairDataset

_KIND = "images"
_NO_MIRROR = "no-mirror"


class ClassifiedPictures(PairDataset):
    """Picture files with their class numbers, stretched to ``size``; a mask is one pixel."""

    def __init__(self, files: Sequence[tuple[Path, int]], *, size: tuple[int, int]) -> None:
        super().__init__(size)
        self.files = tuple(files)

    @override
    def __len__(self) -> int:
        return len(self.files)

    @override
    def identity(self, index: int) -> str:
        path, _ = self.files[index]
        return f"{path.parent.name}/{path.name} {path.stat().st_size}"

    @override
    def paths(self, index: int) -> tuple[Path, ...]:
        return (self.files[index][0],)

    @override
    def make(self, index: int) -> Pair:
        path, label = self.files[index]
        image, _ = pair_of_size(path, lambda: np.full(self.size, label, np.uint8), self.size)
        return image, np.full((1, 1), label, np.uint8)


class ClassFolders(DataSource):
    """``PATH[?no-mirror]``: every folder in ``PATH`` is a class, of its name, with its pictures.

    One fifth of each class validates; there is no test part. With ``no-mirror``, pictures are not mirrored in training.
    """

    @override
    @classmethod
    def open(cls, text: str, options: DataOptions) -> ClassFolders:
        folder, given = path_and_options(_KIND, text, (_NO_MIRROR,))
        require_folder(folder)
        inside = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        folders = [path for path in inside if path.is_dir()]
        found = [picture_files(path) for path in folders]
        repeats = set(repeated_files([path for each in found for path in each.pictures]))
        files = [(path, label) for label, each in enumerate(found) for path in each.pictures if path not in repeats]
        classes = tuple(path.name for path in folders)
        name = source_name(_KIND, folder, {_NO_MIRROR: _NO_MIRROR in given})
        numbers = split_by_class(name, classes, [label for _, label in files], options)
        train, validation, test = (
            ClassifiedPictures([files[number] for number in part], size=options.size) for part in (*numbers, ())
        )
        notes = left_out(folder, [path for path in inside if not path.is_dir()], "in no folder of a class")
        for path, each in zip(folders, found, strict=True):
            notes += left_out(path, each.others, "no pictures that can be read")
            again = [picture for picture in each.pictures if picture in repeats]
            notes += left_out(path, again, "the same picture is there under another name")
        return cls(name, classes, train, validation, test, notes=tuple(notes), mirrors=_NO_MIRROR not in given)
