"""The contract of a fuzzing target: what is mutated, and what is done with it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fuzzing.special_files import Special

REFUSALS = (2, 3, 4, 5)
"""Exit codes of commands that refuse."""


@dataclass(frozen=True, slots=True)
class Case:
    """One mutated input."""

    what: str
    """How it was mutated, in a few words."""
    files: Mapping[str, bytes | Special]
    """Content by name inside of the case's folder."""
    words: tuple[str, ...] = ()
    """Command line of ``latseg``; the working directory is the case's folder."""
    expected: float | None = None
    """The number that the answer must have, where the mutation changes nothing of meaning."""


@dataclass(slots=True)
class Answer:
    """What became of a case."""

    exit_code: int
    line: str = ""
    """The error."""
    value: float | None = None
    """The number that the tool gave."""
    trace: str = field(default="")


class Target(ABC):
    """Yields seeded cases and runs them; the same seed and number give the same case."""

    name: str
    written: tuple[str, ...] = ()
    """What cases share and may write to: names in the folder that ``prepare`` is given."""

    @abstractmethod
    def prepare(self, folder: Path) -> None:
        """Makes what all cases share, once; processes that run cases are forks of the one that did."""

    @abstractmethod
    def case(self, number: int) -> Case:
        """The case of this number."""

    @abstractmethod
    def run(self, case: Case) -> Answer:
        """Runs a case in the working directory that holds its files."""
