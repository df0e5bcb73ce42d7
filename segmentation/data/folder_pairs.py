"""Pairs of picture and mask files as a data set, and the checks of a folder that is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from typing_extensions import override

from foundation.errors import UserError
from foundation.picture import PictureError, read_picture
from segmentation.data.mask_convention import Mask, MaskConvention, mask_convention
from segmentation.data.mask_size import check_sizes, resized_mask
from segmentation.data.pair_files import PairFiles
from segmentation.data.person import ClassTable
from segmentation.data.source import Pair, PairDataset


class FolderPairs(PairDataset):
    """Pairs of files, stretched to ``size``: proportions are not kept, nothing is cropped.

    ``merged`` is the new class of each of the masks' classes.
    """

    def __init__(
        self,
        files: Sequence[PairFiles],
        convention: MaskConvention,
        *,
        size: tuple[int, int],
        merged: ClassTable | None = None,
    ) -> None:
        super().__init__(size)
        self.files, self.convention, self.merged = tuple(files), convention, merged

    @override
    def __len__(self) -> int:
        return len(self.files)

    @override
    def identity(self, index: int) -> str:
        return " ".join(f"{path.name} {path.stat().st_size}" for path in self.files[index])

    @override
    def paths(self, index: int) -> tuple[Path, ...]:
        return self.files[index]

    @override
    def make(self, index: int) -> Pair:
        image, mask = self.files[index]
        return pair_of_size(image, lambda: self.convention.read(mask), self.size, self.merged)


def pair_of_size(
    image_file: Path, read_mask: Callable[[], Mask], size: tuple[int, int], merged: ClassTable | None = None
) -> Pair:
    """Picture and mask stretched to ``size`` (height, width); the mask with its classes as ``merged`` has them.

    Raises:
        UserError: a file that cannot be read as a picture, or as ``read_mask``.
    """
    with unreadable_refused():
        picture = read_picture(image_file, at_least=size)
        mask = read_mask()
    image = Image.fromarray(picture.rgb).resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.array(image, np.uint8), resized_mask(mask if merged is None else merged[mask], size)


@dataclass(frozen=True, slots=True)
class CheckedPairs:
    """How the masks of the pairs are read, and what a user should know of it."""

    convention: MaskConvention
    notes: tuple[str, ...]

    @property
    def reading(self) -> str:
        """As ``DataSource.reading``."""
        return "" if self.convention.as_ever else self.convention.text


def check_pairs(pairs: Sequence[PairFiles], classes: int, *, resize_masks: bool) -> CheckedPairs:
    """Compares sizes and decides what the masks' values mean; reads every mask and the header of every image.

    Raises:
        UserError: a file that cannot be read, a mask of another size or orientation, or masks of no one convention.
    """
    with unreadable_refused():
        notes = check_sizes(pairs, resize_masks=resize_masks)
        convention = mask_convention([mask for _, mask in pairs], classes)
    return CheckedPairs(convention, (convention.text, *notes))


@contextmanager
def unreadable_refused() -> Iterator[None]:
    """A file that cannot be read as a picture becomes an error of one line."""
    try:
        yield
    except PictureError as error:
        raise UserError(
            "picture", seen=error, expected="a whole JPEG, PNG or the like",
            remedy="replace the file or take it out of the folder",
        ) from error  # fmt: skip
