"""Which classified pictures are for training, and which for validation."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, zip_longest
from random import Random

from foundation.errors import UserError
from segmentation.data.source import DataOptions
from segmentation.losses import IGNORE

_VALIDATION_SHARE = 0.2
_LEAST = 2
"""Pictures of each class: one for training, one for validation."""


def split_by_class(name: str, classes: Sequence[str], labels: Sequence[int], options: DataOptions) -> list[list[int]]:
    """Numbers of the pictures for training and of those for validation: of each class a fifth, one at least.

    ``options.count`` pictures are taken in turns from every class. Equal seeds give equal parts.

    Args:
        name: of the source, for errors.
        classes: names.
        labels: class number of each picture.
        options: of the source.

    Raises:
        UserError: fewer than 2 or more than 255 classes, a class with fewer than 2 pictures, or too small a count.
    """
    by_class: list[list[int]] = [[] for _ in classes]
    for number, label in enumerate(labels):
        by_class[label].append(number)
    _check(name, classes, by_class, options.count)
    random = Random(options.seed)
    for numbers in by_class:
        random.shuffle(numbers)
    in_turns = [number for number in chain(*zip_longest(*by_class)) if number is not None]
    taken = set(in_turns[: options.count])
    parts: list[list[int]] = [[], []]
    for numbers in ([number for number in all_numbers if number in taken] for all_numbers in by_class):
        validating = max(1, round(_VALIDATION_SHARE * len(numbers)))
        parts[0] += numbers[validating:]
        parts[1] += numbers[:validating]
    return [sorted(part) for part in parts]


def _check(name: str, classes: Sequence[str], by_class: Sequence[Sequence[int]], count: int | None) -> None:
    if not 2 <= len(classes) <= IGNORE:
        raise UserError(
            f"classes of {name}", seen=len(classes), expected=f"2 to {IGNORE}", remedy="choose another folder"
        )
    few = next((label for label, numbers in zip(classes, by_class, strict=True) if len(numbers) < _LEAST), None)
    if few is not None:
        raise UserError(
            f"classes of {name}", seen=f"fewer than {_LEAST} different pictures of {few}",
            expected=f"at least {_LEAST} of each class", remedy="add pictures, or take the class out",
        )  # fmt: skip
    if count is not None and count < _LEAST * len(classes):
        raise UserError(
            "--data-count", seen=count, expected=f"at least {_LEAST * len(classes)}, {_LEAST} for each class",
            remedy="give a larger one",
        )  # fmt: skip
