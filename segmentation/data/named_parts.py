"""Training, validation and test part of data sets that name the pictures of some of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from foundation.errors import UserError
from segmentation.data.equal_files import repeated_files
from segmentation.data.picture_files import left_out
from segmentation.data.source import PairDataset

A = TypeVar("A")
Pictures = Sequence[tuple[Path, A]]
"""Files of pictures, each with what tells its mask."""

MIN_PAIRS_FOR_TEST = 50
_ONE_IN = 10
_VALIDATION_SHARE = 5
"""Of ``count`` pairs, one in so many validates."""


@dataclass(frozen=True, slots=True)
class NamedParts(Generic[A]):
    """Three parts that share no picture, and a sentence on each kind of pictures that are left out."""

    train: list[tuple[Path, A]]
    validation: list[tuple[Path, A]]
    test: list[tuple[Path, A]]
    notes: tuple[str, ...] = ()

    def each(self, make: Callable[[list[tuple[Path, A]]], PairDataset]) -> tuple[PairDataset, PairDataset, PairDataset]:
        """The data sets of the three parts."""
        return make(self.train), make(self.validation), make(self.test)

    @property
    def all(self) -> list[tuple[Path, A]]:
        """The pictures of all parts."""
        return [*self.train, *self.validation, *self.test]


def named_parts(
    train: Pictures[A],
    validation: Pictures[A] = (),
    test: Pictures[A] = (),
    *,
    count: int | None = None,
    notes: Sequence[str] = (),
) -> NamedParts[A]:
    """The parts as they are named.

    Where no validation part is named, one in ten of the training pictures validates, and where no test part is named
    and there are 50 pictures or more, one in ten is held out first. The hash of the picture's name decides, so the
    parts are the same for every seed. Of files with the same content only one is kept, in the test part or else in the
    validation part.

    Args:
        train: pictures for training.
        validation: pictures for choices; may be empty.
        test: pictures for the final score; may be empty.
        count: at most so many pictures in training and validation together, and in the test part.
        notes: on pictures that are missing; part of the error where nothing is left.

    Raises:
        UserError: nothing is left for training or for validation.
    """
    if not test and len(train) >= MIN_PAIRS_FOR_TEST:
        train, test = _set_apart(train)
    if not validation:
        train, validation = _set_apart(train)
    repeated = _repeated([*test, *validation, *train])
    learned, chosen, scored = (
        [picture for picture in part if picture[0] not in repeated] for part in (train, validation, test)
    )
    if count is not None:
        chosen = _some(chosen, max(1, count // _VALIDATION_SHARE))
        learned, scored = _some(learned, count - len(chosen)), _some(scored, count)
    if not learned or not chosen:
        raise UserError(
            "number of pairs",
            seen="; ".join((f"{len(learned)} for training, {len(chosen)} for validation", *notes)),
            expected="at least one of each", remedy="check the path, or add pairs",
        )  # fmt: skip
    twice = left_out(repeated[0].parent, repeated, "the same picture is there under another name") if repeated else []
    return NamedParts(learned, chosen, scored, (*notes, *twice))


def _set_apart(pictures: Pictures[A]) -> tuple[list[tuple[Path, A]], list[tuple[Path, A]]]:
    """All but one in ten, and these; at least one, of two or more."""
    apart = _some(pictures, max(1, len(pictures) // _ONE_IN)) if len(pictures) > 1 else []
    names = {picture[0] for picture in apart}
    return [picture for picture in pictures if picture[0] not in names], apart


def _some(pictures: Pictures[A], count: int) -> list[tuple[Path, A]]:
    """So many pictures, by the hash of their names, in their own order."""
    chosen = {picture[0] for picture in sorted(pictures, key=lambda one: _hash(one[0]))[:count]}
    return [picture for picture in pictures if picture[0] in chosen]


def _hash(path: Path) -> bytes:
    return hashlib.sha256(f"{path.parent.name}/{path.name}".encode()).digest()


def _repeated(pictures: Pictures[A]) -> list[Path]:
    return repeated_files(list(dict.fromkeys(image for image, _ in pictures)))
