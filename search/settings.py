"""The settings of a search."""

from __future__ import annotations

from dataclasses import dataclass

from foundation.errors import UserError


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """How much is tried and how many winners are wanted.

    Raises:
        UserError: a number is below its least value.
    """

    trials: int = 200
    winners: int = 3
    classes: int = 2
    seed: int = 0
    population: int = 24
    """Candidates of one generation."""
    feasibility_samples: int = 500
    measurements: int | None = None
    """At most so many candidate winners are measured; None for six for each winner and six more."""
    reserve: float = 0.2
    """Share of the trials that is kept back until the first winners were measured, to learn from rejections."""

    def __post_init__(self) -> None:
        least = {"trials": 1, "winners": 1, "classes": 2, "population": 2, "feasibility_samples": 1}
        for name, minimum in least.items():
            seen = getattr(self, name)
            if seen < minimum:
                what = name.replace("_", " ")
                raise UserError(what, seen=seen, expected=f"at least {minimum}", remedy=f"give more {what}")

    @property
    def most_measurements(self) -> int:
        """Number of candidate winners that may be measured."""
        return 6 * (self.winners + 1) if self.measurements is None else self.measurements

    @property
    def first_stop(self) -> int:
        """Trials after which the first winners are measured: whole generations, at least one."""
        generations = max(1, round(self.trials * (1.0 - self.reserve) / self.population))
        return min(self.trials, generations * self.population)
