"""The built-in source of data: synthetic portraits, drawn on first use, the same for the same seed."""

from __future__ import annotations

from foundation.errors import UserError
from segmentation.data.source import PERSON_CLASSES, DataSource, Pair, PairDataset
from segmentation.data.synthetic.scene import render_portrait

DEFAULT_COUNT = 1000
_VALIDATION_SHARE = 0.2
_SMALLEST = 32


class SyntheticPortraits(PairDataset):
    """Portraits ``first`` .. ``first + count - 1`` of the endless series ``seed``."""

    def __init__(self, count: int, *, first: int = 0, seed: int = 0, size: tuple[int, int] = (256, 256)) -> None:
        super().__init__(size)
        self.count, self.first, self.seed = count, first, seed

    def __len__(self) -> int:
        return self.count

    def make(self, index: int) -> Pair:
        """Draws one portrait; takes around 20 milliseconds at 256 x 256."""
        return render_portrait(self.seed, self.first + index, *self.size)


def synthetic_source(count: int = DEFAULT_COUNT, *, seed: int = 0, size: tuple[int, int] = (256, 256)) -> DataSource:
    """``count`` portraits in all, a fifth of them for validation.

    The validation part comes from a series of its own, so it is the same pictures whatever the number to train on.

    Raises:
        UserError: fewer than two portraits, or too small a size.
    """
    if count < 2:
        raise UserError(
            "number of synthetic portraits", seen=count, expected="at least 2", remedy="write e.g. synthetic:300"
        )
    if min(size) < _SMALLEST:
        raise UserError(
            "size of synthetic portraits", seen=f"{size[0]} x {size[1]}", expected=f"at least {_SMALLEST} pixels",
            remedy="ask for a larger size",
        )  # fmt: skip
    held_out = max(1, round(count * _VALIDATION_SHARE))
    return DataSource(
        name=f"synthetic:{count}",
        classes=PERSON_CLASSES,
        train=SyntheticPortraits(count - held_out, seed=2 * seed, size=size),
        validation=SyntheticPortraits(held_out, seed=2 * seed + 1, size=size),
    )
