"""The contract of a data source: named classes, and image and mask pairs for training, validation and test."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

Pair = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]
"""Image ``height x width x 3`` and mask ``height x width`` of class numbers (255: no label).

Where a picture as a whole has one class (``segmentation.data.classified``), its mask is one pixel, ``1 x 1``.
"""

PERSON_CLASSES = ("background", "person")


class PairDataset(Dataset[tuple[Tensor, Tensor]]):
    """Map-style data set of pairs of one size, decoded or rendered on first use and then kept in memory as uint8.

    ``dataset[i]`` is (image float32 ``3 x height x width`` in 0..1, mask int64 ``height x width``). Pairs must not
    depend on the order in which they are read.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size
        self._kept: dict[int, tuple[Tensor, Tensor]] = {}

    @abstractmethod
    def __len__(self) -> int:
        """Number of pairs."""

    @abstractmethod
    def make(self, index: int) -> Pair:
        """Pair number ``index``, at ``self.size``."""

    @abstractmethod
    def identity(self, index: int) -> str:
        """Text that changes whenever pair ``index`` does, such as names and sizes of its files; reads no pixels."""

    def paths(self, index: int) -> tuple[Path, ...]:  # noqa: ARG002 - a rendered pair has none
        """The files of pair ``index``, the picture first and, if it is one file of the same kind, the mask second."""
        return ()

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        if index not in self._kept:
            image, mask = self.make(index)
            chw = np.ascontiguousarray(image.transpose(2, 0, 1))
            self._kept[index] = torch.from_numpy(chw), torch.from_numpy(np.ascontiguousarray(mask))
        kept_image, kept_mask = self._kept[index]
        return kept_image.float() / 255, kept_mask.long()

    def at(self, size: tuple[int, int]) -> Self:
        """The same pairs at another size; nothing is decoded yet."""
        other = copy(self)
        other.size, other._kept = size, {}
        return other

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the size and every pair."""
        pairs = [self.identity(index) for index in range(len(self))]
        return hashlib.sha256(json.dumps([self.size, pairs]).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class DataOptions:
    """How a source is opened, whatever its kind."""

    seed: int = 0
    """Random split; sources with a fixed split ignore it."""
    count: int | None = None
    """Largest number of pairs in training and validation together, where the source's own text sets none."""
    size: tuple[int, int] = (256, 256)
    """Height and width of every pair."""
    resize_masks: bool = False
    """Whether a mask may have another size than its image; otherwise it is refused."""
    hold_out_test: bool = True
    """Whether pairs may be taken from training for a test part. Runs from before there was one open without."""


@dataclass(frozen=True)
class DataSource(ABC):
    """Named classes and three parts of image and mask pairs that share no pair.

    Models are trained on ``train``, chosen by ``validation``, and the chosen ones are scored on ``test``. A subclass
    opens itself; plug-ins enter their class in the group ``latseg.data`` and run ``latseg.testing.data_contract``.
    """

    name: str
    """Text that ``open_source`` opens again from any folder, ``KIND:TEXT``; paths in it are absolute."""
    classes: tuple[str, ...]
    """Names of the mask's values 0, 1, ...; the first is the background."""
    train: PairDataset
    validation: PairDataset
    test: PairDataset
    """Empty where there are too few pairs."""
    flip_swaps: tuple[tuple[int, int], ...] = ()
    """Classes that change places when an image is mirrored, such as left eye and right eye."""
    notes: tuple[str, ...] = ()
    """What was decided when the data were opened and what was left out, for people: a sentence each."""
    without_mask: int = 0
    """Number of pictures that are left out since they have no mask."""
    reading: str = ""
    """How labels are read, where earlier versions read them in another way."""
    mirrors: bool = True
    """Whether the mirror image of a picture shows the same classes, as that of a digit does not."""

    @classmethod
    @abstractmethod
    def open(cls, text: str, options: DataOptions) -> DataSource:
        """The source that ``KIND:text`` names; ``text`` is empty where only the kind was written.

        Raises:
            UserError: the text is not of the source's form, or the data cannot be read.
        """

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over classes, size, reading and every pair of every part.

        Equal exactly where the data, its split and its reading are.
        """
        how = [self.reading] if self.reading else []
        digest = hashlib.sha256(json.dumps([self.classes, self.train.size, *how]).encode())
        for part in (self.train, self.validation, self.test):
            digest.update(json.dumps([part.identity(index) for index in range(len(part))]).encode())
        return digest.hexdigest()


def batch_of(dataset: Dataset[tuple[Tensor, Tensor]], indices: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Images float32 ``batch x 3 x height x width`` in 0..1 and masks int64 ``batch x height x width``."""
    pairs = [dataset[index] for index in indices]
    return torch.stack([image for image, _ in pairs]), torch.stack([mask for _, mask in pairs])
