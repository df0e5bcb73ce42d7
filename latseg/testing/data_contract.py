"""What every data source must do, wherever its pairs come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import combinations

import torch

from segmentation.data.classified.registry import open_classified
from segmentation.data.registry import open_source
from segmentation.data.source import DataSource, PairDataset
from segmentation.losses import IGNORE

SIZE = (32, 48)


class DataContract(ABC):
    """Subclass it, name a source, and name the class ``Test...``."""

    whole_pictures = False
    """Whether it is a source of classified pictures (entry point group ``latseg.classified``)."""

    @abstractmethod
    def text(self) -> str:
        """Text that names a small source with pairs for training and for validation, such as ``folder:PATH``."""

    def open(self, *, seed: int = 0, size: tuple[int, int] = SIZE) -> DataSource:
        """The source, opened anew."""
        return self._opened(self.text(), seed=seed, size=size)

    def _opened(self, text: str, *, seed: int = 0, size: tuple[int, int] = SIZE) -> DataSource:
        return (open_classified if self.whole_pictures else open_source)(text, seed=seed, size=size)

    def test_opens_again_by_its_name(self) -> None:
        source = self.open()
        again = self._opened(source.name)
        assert again.name == source.name
        assert again.fingerprint == source.fingerprint

    def test_has_pairs_to_train_on_and_to_validate_with(self) -> None:
        source = self.open()
        assert len(source.train) > 0
        assert len(source.validation) > 0

    def test_parts_share_no_pair(self) -> None:
        names = [_identities(part) for part in _parts(self.open())]
        for first, second in combinations(names, 2):
            assert not first & second

    def test_pairs_have_the_requested_size_and_range(self) -> None:
        for size in (SIZE, (64, 40)):
            source = self.open(size=size)
            for part in _parts(source):
                for index in range(min(len(part), 2)):
                    image, mask = part[index]
                    assert image.shape == (3, *size)
                    assert image.dtype == torch.float32
                    assert 0 <= image.min() < image.max() <= 1
                    assert mask.shape == ((1, 1) if self.whole_pictures else size)
                    assert mask.dtype == torch.int64
                    known = mask[mask != IGNORE]
                    assert known.numel() == 0 or (known.min() >= 0 and known.max() < len(source.classes))

    def test_pairs_do_not_depend_on_the_order_of_reading(self) -> None:
        first, second = self.open().train, self.open().train
        last = len(first) - 1
        expected = first[0], first[last]
        actual = second[last], second[0]
        for (image, mask), (other, other_mask) in zip(expected, reversed(actual), strict=True):
            assert torch.equal(image, other)
            assert torch.equal(mask, other_mask)

    def test_classes_are_different_names(self) -> None:
        source = self.open()
        assert len(source.classes) >= 2
        assert len(set(source.classes)) == len(source.classes)
        for first, second in source.flip_swaps:
            assert first != second
            assert max(first, second) < len(source.classes)

    def test_the_fingerprint_follows_from_data_and_size(self) -> None:
        assert self.open().fingerprint == self.open().fingerprint
        assert self.open().fingerprint != self.open(size=(64, 40)).fingerprint


def _parts(source: DataSource) -> tuple[PairDataset, PairDataset, PairDataset]:
    return source.train, source.validation, source.test


def _identities(part: PairDataset) -> set[str]:
    found = {part.identity(index) for index in range(len(part))}
    assert len(found) == len(part), "identities must differ"
    return found
