"""A small data source whose images say where the object is."""

from __future__ import annotations

import numpy as np
from typing_extensions import override

from segmentation.data.source import DataOptions, DataSource, Pair, PairDataset


class Blobs(PairDataset):
    """Noise in which the red channel is bright on the object, a square of 10 pixels."""

    def __init__(self, count: int = 16, *, first: int = 0) -> None:
        super().__init__((32, 32))
        self.count, self.first = count, first

    @override
    def __len__(self) -> int:
        return self.count

    @override
    def identity(self, index: int) -> str:
        return f"blob {self.first + index}"

    @override
    def make(self, index: int) -> Pair:
        rng = np.random.default_rng(self.first + index)
        row, column = rng.integers(4, 20, 2)
        mask = np.zeros((32, 32), np.uint8)
        mask[row : row + 10, column : column + 10] = 1
        image = rng.random((32, 32, 3))
        image[..., 0] = 0.3 * image[..., 0] + 0.7 * mask
        return (255 * image).astype(np.uint8), mask


class BlobSource(DataSource):
    @override
    @classmethod
    def open(cls, text: str, options: DataOptions) -> DataSource:
        raise NotImplementedError


def blob_source(train: int = 16, *, first: int = 0) -> BlobSource:
    """A source with this number of training pairs; another ``first`` stands for exchanged data."""
    parts = Blobs(train, first=first), Blobs(4, first=100), Blobs(4, first=200)
    return BlobSource("blobs", ("background", "object"), *parts)
