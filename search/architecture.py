"""A point in a search space."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from sys import intern

from foundation.errors import UserError

_PAIRS = 4096
"""Pairs that are kept."""
_MAX_CHOICE = 2**63


@dataclass(frozen=True, slots=True)
class Architecture:
    """An integer for each named slot of a space; frozen, hashable, and the same after a JSON round trip.

    What the integers mean is the space's affair (``segmentation/portrait/plan.py`` for ``portrait``).
    """

    space: str
    choices: tuple[tuple[str, int], ...]
    """Pairs (slot, choice), in the space's order of slots."""

    def __getitem__(self, slot: str) -> int:
        return dict(self.choices)[slot]

    @property
    def id(self) -> str:
        """Ten hexadecimal digits that name the architecture."""
        return id_of(self.to_json())

    def replaced(self, changes: Mapping[str, int]) -> Architecture:
        """The architecture with some slots chosen anew."""
        return Architecture(self.space, tuple((slot, changes.get(slot, choice)) for slot, choice in self.choices))

    def to_json(self) -> str:
        """Canonical JSON text: ``{"space": ..., "choices": {slot: choice}}``."""
        return json.dumps({"space": self.space, "choices": dict(self.choices)}, separators=(",", ":"))

    @staticmethod
    def from_json(text: str) -> Architecture:
        """Reads what ``to_json`` wrote.

        Raises:
            UserError: not such a text.
        """
        try:
            document = json.loads(text)
            choices: dict[str, int] = document["choices"]
            return Architecture(intern(document["space"]), tuple(map(_pair, choices.keys(), choices.values())))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UserError(
                "architecture",
                seen=repr(text[:60]),
                expected='{"space": "portrait", "choices": {"slot": 0, ...}}',
                remedy="take the text from `latseg describe --json` or from a run's trials",
            ) from error


def id_of(canonical_json: str) -> str:
    """Id of the architecture with this canonical text."""
    return hashlib.sha256(canonical_json.encode()).hexdigest()[:10]


@lru_cache(_PAIRS)
def _pair(slot: str, choice: int) -> tuple[str, int]:
    """One object for all architectures that share it: a run may have 100,000 of a hundred slots each.

    Raises:
        ValueError: the name is no Unicode text, or the choice has more than 64 bits.
    """
    slot.encode()
    if not -_MAX_CHOICE <= int(choice) < _MAX_CHOICE:
        raise ValueError(f"choice {choice} of {slot}")
    return str(slot), int(choice)
