"""Pictures of one brightness each, with that brightness as the class of every pixel."""

from __future__ import annotations

import numpy as np
from typing_extensions import override

from foundation.errors import UserError
from segmentation.data.source import DataOptions, DataSource, Pair, PairDataset

CLASSES = ("dark", "grey", "light")


class TilePictures(PairDataset):
    """Tiles ``first`` to ``first + count - 1`` of the endless series ``seed``."""

    def __init__(self, count: int, *, first: int, seed: int, size: tuple[int, int]) -> None:
        super().__init__(size)
        self.count, self.first, self.seed = count, first, seed

    def __len__(self) -> int:
        return self.count

    @override
    def identity(self, index: int) -> str:
        return f"tile {self.first + index} of series {self.seed}"

    @override
    def make(self, index: int) -> Pair:
        number = self.first + index
        label = number % len(CLASSES)
        noise = np.random.default_rng([self.seed, number]).integers(-30, 30, (*self.size, 3))
        return (40 + 85 * label + noise).astype(np.uint8), np.full(self.size, label, np.uint8)


class Tiles(DataSource):
    """``tiles:COUNT``: a third each for training, validation and test."""

    @override
    @classmethod
    def open(cls, text: str, options: DataOptions) -> Tiles:
        if not text.isdecimal() or int(text) < 9:
            raise UserError("number of tiles", seen=repr(text), expected="at least 9", remedy="write tiles:30")
        part = int(text) // 3

        def pictures(first: int) -> TilePictures:
            return TilePictures(part, first=first, seed=options.seed, size=options.size)

        return cls(f"tiles:{text}", CLASSES, pictures(0), pictures(part), pictures(2 * part))
