"""The built-in data source: synthetic portraits, rendered on first use, equal for equal seeds."""

from __future__ import annotations

from typing_extensions import override

from foundation.errors import UserError
from segmentation.data.source import PERSON_CLASSES, DataOptions, DataSource, Pair, PairDataset
from segmentation.data.synthetic.people import render_people
from segmentation.data.synthetic.scene import render_portrait

DEFAULT_COUNT = 1000
_PEOPLE = "?people"
_VALIDATION_SHARE = 0.2
_TEST_FIRST = 1_000_000
"""First portrait of the test part; it is in the validation part's series, beyond any validation part."""
_MIN_SIZE = 32


class SyntheticPortraits(PairDataset):
    """Portraits ``first`` .. ``first + count - 1`` of the endless series ``seed``; one takes about 20 ms to render."""

    def __init__(self, count: int, *, first: int = 0, seed: int = 0, size: tuple[int, int] = (256, 256)) -> None:
        super().__init__(size)
        self.count, self.first, self.seed = count, first, seed

    @override
    def __len__(self) -> int:
        return self.count

    @override
    def identity(self, index: int) -> str:
        return f"portrait {self.first + index} of series {self.seed}"

    @override
    def make(self, index: int) -> Pair:
        return render_portrait(self.seed, self.first + index, *self.size)


class SyntheticPeople(SyntheticPortraits):
    """Scenes with people instead of portraits: none to several, near and far, cut, behind things, in hard pictures."""

    @override
    def identity(self, index: int) -> str:
        return f"people {self.first + index} of series {self.seed}"

    @override
    def make(self, index: int) -> Pair:
        return render_people(self.seed, self.first + index, *self.size)


class SyntheticSource(DataSource):
    """``COUNT[?people]``: so many portraits, a fifth of them for validation, and as many again for the test part.

    With ``people`` they are scenes with people, far more varied than the portraits. Validation and test part come from
    a series of their own, so they do not depend on the number of training pairs.
    """

    @override
    @classmethod
    def open(cls, text: str, options: DataOptions) -> SyntheticSource:
        people = text.endswith(_PEOPLE)
        pictures = SyntheticPeople if people else SyntheticPortraits
        count = _count(text.removesuffix(_PEOPLE), options.count)
        if count < 2:
            raise UserError(
                "number of synthetic portraits", seen=count, expected="at least 2", remedy="write e.g. synthetic:300"
            )
        size = options.size
        if min(size) < _MIN_SIZE:
            raise UserError(
                "size of synthetic portraits", seen=f"{size[0]} x {size[1]}", expected=f"at least {_MIN_SIZE} pixels",
                remedy="ask for a larger size",
            )  # fmt: skip
        held_out = max(1, round(count * _VALIDATION_SHARE))
        first, second = 2 * options.seed, 2 * options.seed + 1
        return cls(
            name=f"synthetic:{count}{_PEOPLE if people else ''}",
            classes=PERSON_CLASSES,
            train=pictures(count - held_out, seed=first, size=size),
            validation=pictures(held_out, seed=second, size=size),
            test=pictures(held_out, seed=second, first=_TEST_FIRST, size=size),
        )


def _count(text: str, count: int | None) -> int:
    if not text:
        return DEFAULT_COUNT if count is None else count
    if not text.isdecimal():
        raise UserError(
            "number of synthetic portraits", seen=repr(text), expected="a whole number", remedy="write synthetic:300"
        )
    return int(text)
