"""Every class occurs in training and in validation; otherwise it could not be learned or would not be scored."""

from __future__ import annotations

from typing import NoReturn

import torch

from foundation.errors import UserError
from segmentation.data.source import DataSource, PairDataset

_MANY = 5


def require_every_class(source: DataSource) -> None:
    """Reads pairs of each part until every class was seen, which takes one or two pairs as a rule.

    Raises:
        UserError: a class without a single pixel in the training or in the validation part, or a pair that cannot be
            read.
    """
    parts = {"training": source.train, "validation": source.validation}
    missing = {name: _missing(part, len(source.classes)) for name, part in parts.items()}
    nowhere = missing["training"] & missing["validation"]
    if nowhere:
        _refuse(source, nowhere, f"any of the {len(source.train) + len(source.validation)} masks", "add such pairs")
    for name, part in parts.items():
        if missing[name]:
            masks = f"the {len(part)} masks of the {name} part"
            _refuse(source, missing[name], masks, "add such pairs, or split them with another seed")


def _missing(part: PairDataset, classes: int) -> set[int]:
    missing = set(range(classes))
    for index in range(len(part)):
        missing -= set(torch.unique(part[index][1]).tolist())
        if not missing:
            break
    return missing


def _refuse(source: DataSource, missing: set[int], masks: str, remedy: str) -> NoReturn:
    names = [source.classes[number] for number in sorted(missing)]
    more = f" and {len(names) - _MANY} more" if len(names) > _MANY else ""
    raise UserError(
        f"classes of {source.name}",
        seen=f"no pixel of {', '.join(names[:_MANY])}{more} in {masks}",
        expected="every class in training and in validation",
        remedy=f"{remedy}, or take the class out",
    )
