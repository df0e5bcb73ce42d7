"""Masks that are more than one file of class numbers: a file for each part, polygons, run lengths."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from typing_extensions import override

from segmentation.data.exif import PictureShape
from segmentation.data.folder_pairs import pair_of_size, unreadable_refused
from segmentation.data.mask_convention import Mask
from segmentation.data.mask_size import check_shapes
from segmentation.data.person import ClassTable
from segmentation.data.source import Pair, PairDataset


class Annotation(ABC):
    """Tells the mask of one picture."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What errors call it, such as the path of its file."""

    @abstractmethod
    def shape(self) -> PictureShape:
        """Size and orientation of the mask, without its pixels.

        Raises:
            PictureError: a file that cannot be opened.
        """

    @abstractmethod
    def mask(self) -> Mask:
        """Class numbers, ``height x width``, 255 where there is no label.

        Raises:
            PictureError: a file that is missing or no picture.
            UserError: content that makes no mask.
        """

    @abstractmethod
    def identity(self) -> str:
        """As ``PairDataset.identity``."""


AnnotatedPicture = tuple[Path, Annotation]


class AnnotatedPairs(PairDataset):
    """Annotated pictures, stretched to ``size``: proportions are not kept, nothing is cropped.

    ``merged`` is the new class of each of the annotation's classes.
    """

    def __init__(
        self, pictures: Sequence[AnnotatedPicture], *, size: tuple[int, int], merged: ClassTable | None = None
    ) -> None:
        super().__init__(size)
        self.pictures, self.merged = tuple(pictures), merged

    @override
    def __len__(self) -> int:
        return len(self.pictures)

    @override
    def identity(self, index: int) -> str:
        image, annotation = self.pictures[index]
        return f"{image.name} {image.stat().st_size} {annotation.identity()}"

    @override
    def paths(self, index: int) -> tuple[Path, ...]:
        return self.pictures[index][:1]

    @override
    def make(self, index: int) -> Pair:
        image, annotation = self.pictures[index]
        return pair_of_size(image, annotation.mask, self.size, self.merged)


def check_annotated(pictures: Sequence[AnnotatedPicture], *, resize_masks: bool) -> list[str]:
    """Compares the sizes of pictures and masks; the results and errors are those of ``check_shapes``."""
    with unreadable_refused():
        return check_shapes(
            ((image, annotation.name, annotation.shape) for image, annotation in pictures), resize_masks=resize_masks
        )
