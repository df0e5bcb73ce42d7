"""A genotype as nested JSON, as choices of slots named by their position."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import numpy as np

from search.analysis.search_log import ABSENT, Choices

MAX_SLOTS = 2000
"""Of all genotypes of a log together."""


def flat_genotype(text: str) -> dict[str, int]:
    """``[[4, [0, 1]], 2]`` as ``{"0.0": 4, "0.1.0": 0, "0.1.1": 1, "1": 2}``; objects by their keys.

    Raises:
        ValueError: no JSON, something else than lists, objects and integers from 0, or a slot that is there twice or
            whose name is no Unicode text.
    """
    choices: dict[str, int] = {}
    try:
        for slot, choice in _slots("", json.loads(text)):
            if slot in choices:
                raise ValueError(f"slot {slot[:40]} twice")
            choices[_text(slot)] = choice
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return choices


def choice_matrix(genotypes: Sequence[dict[str, int]]) -> tuple[tuple[str, ...], Choices]:
    """Names of the ``k`` slots in their order of occurrence, and the choices ``n x k``.

    Raises:
        ValueError: more than ``MAX_SLOTS`` slots.
    """
    slots = tuple(dict.fromkeys(slot for genotype in genotypes for slot in genotype))
    if len(slots) > MAX_SLOTS:
        raise ValueError(f"{len(slots):,} slots")
    rows = [[genotype.get(slot, ABSENT) for slot in slots] for genotype in genotypes]
    return slots, np.array(rows, np.int64).reshape(len(genotypes), len(slots))


def _slots(name: str, value: object) -> Iterator[tuple[str, int]]:
    match value:
        case list():
            parts = [(str(position), part) for position, part in enumerate(value)]
        case dict():
            parts = list(value.items())
        case int() if not isinstance(value, bool) and 0 <= value < 2**31:
            yield name or "0", value
            return
        case _:
            raise ValueError(f"{json.dumps(value)[:20]} where an integer from 0 is expected")
    for key, part in parts:
        yield from _slots(f"{name}.{key}" if name else key, part)


def _text(name: str) -> str:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"the name {name[:20]!r} has a lone surrogate") from error
    return name
