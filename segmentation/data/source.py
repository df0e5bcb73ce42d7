"""What a source of training data is: named classes and two splits of image and mask pairs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

Pair = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]
"""Image ``height x width x 3`` and mask ``height x width`` of class numbers (255: no label)."""

PERSON_CLASSES = ("background", "person")


class PairDataset(Dataset[tuple[Tensor, Tensor]]):
    """Map-style data set of pairs, all of one size, made or decoded on first use and then kept in memory as uint8.

    ``dataset[i]`` is (image float32 ``3 x height x width`` in 0..1, mask int64 ``height x width``). A subclass says how
    many pairs there are and makes one; making must not depend on the order in which pairs are asked for.
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

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image, mask = self.stored(index)
        return image.float() / 255, mask.long()

    def stored(self, index: int) -> tuple[Tensor, Tensor]:
        """Pair number ``index`` as kept: image uint8 ``3 x height x width``, mask uint8 ``height x width``."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        if index not in self._kept:
            image, mask = self.make(index)
            chw = np.ascontiguousarray(image.transpose(2, 0, 1))
            self._kept[index] = torch.from_numpy(chw), torch.from_numpy(np.ascontiguousarray(mask))
        return self._kept[index]


@dataclass(frozen=True, slots=True)
class DataSource:
    """Pairs to train on and pairs to judge by; the two splits share no image."""

    name: str
    """Text that ``open_source`` opens again."""
    classes: tuple[str, ...]
    """Names of the mask's values 0, 1, ...; the first is the background."""
    train: PairDataset
    validation: PairDataset
    flip_swaps: tuple[tuple[int, int], ...] = ()
    """Classes that change places when an image is mirrored, such as left eye and right eye."""


def batch_of(dataset: Dataset[tuple[Tensor, Tensor]], indices: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Images float32 ``batch x 3 x height x width`` in 0..1 and masks int64 ``batch x height x width``."""
    pairs = [dataset[index] for index in indices]
    return torch.stack([image for image, _ in pairs]), torch.stack([mask for _, mask in pairs])
