"""What became of the cases of one target, as it is written into the result."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from fuzzing.limited_process import Outcome

_LINE_LENGTH = 600


class Tally:
    """Counts by outcome, the slowest and the largest case, and every fault."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._outcomes: Counter[str] = Counter()
        self._seconds = self._wall_seconds = 0.0
        self._peak_bytes = 0
        self.faults: list[dict[str, Any]] = []

    def add(self, outcome: Outcome) -> None:
        """Counts one more case."""
        self._outcomes[outcome.outcome] += 1
        self._seconds = max(self._seconds, outcome.seconds)
        self._wall_seconds = max(self._wall_seconds, outcome.wall_seconds)
        self._peak_bytes = max(self._peak_bytes, outcome.peak_bytes)
        if not outcome.good:
            self.faults.append(
                {
                    "number": outcome.number,
                    "outcome": outcome.outcome,
                    "what": outcome.what,
                    "line": outcome.line[-_LINE_LENGTH:],
                }
            )

    @property
    def cases(self) -> int:
        """How many were counted."""
        return self._outcomes.total()

    def to_json(self) -> dict[str, Any]:
        """Seconds of a case are processor time; of the target, those since it began."""
        return {
            "cases": self.cases,
            "outcomes": dict(self._outcomes),
            "slowest_seconds": round(self._seconds, 2),
            "slowest_wall_seconds": round(self._wall_seconds, 2),
            "largest_megabytes": round(self._peak_bytes / 2**20),
            "seconds": round(time.monotonic() - self._start),
            "faults": self.faults,
        }
