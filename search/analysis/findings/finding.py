"""What a finding is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence on one search, with the figures that it rests on."""

    name: str
    text: str
    """What was found, without the remedy."""
    figures: Mapping[str, float]
    remedy: str = ""
    """What to change; empty where nothing is wrong."""
    log: str = ""
    """Name of the log."""

    @property
    def fault(self) -> bool:
        """Whether something should be changed."""
        return bool(self.remedy)

    @property
    def sentence(self) -> str:
        """The text and the remedy."""
        return f"{self.text} {self.remedy}".rstrip()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON object."""
        return {
            "log": self.log,
            "name": self.name,
            "fault": self.fault,
            "text": self.text,
            "remedy": self.remedy,
            "figures": dict(self.figures),
        }
