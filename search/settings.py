"""The settings of a search."""

from __future__ import annotations

from dataclasses import dataclass

from foundation.errors import UserError

_MIN = {"trials": 1, "winners": 1, "feasibility_samples": 1}


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """How much is tried and how many winners are wanted.

    Raises:
        UserError: a number is too small, or the reserve is not a share.
    """

    trials: int = 200
    winners: int = 3
    seed: int = 0
    feasibility_samples: int = 500
    measurements: int | None = None
    """Maximum number of measured candidate winners; None for six for each winner and six more."""
    reserve: float = 0.2
    """Share of the trials that is kept until the first winners were measured, so that the search can use rejections."""

    def __post_init__(self) -> None:
        for name, minimum in _MIN.items():
            if getattr(self, name) < minimum:
                what = name.replace("_", " ")
                raise UserError(
                    what, seen=getattr(self, name), expected=f"at least {minimum}", remedy=f"give more {what}"
                )
        if not 0.0 <= self.reserve < 1.0:
            raise UserError(
                "reserve", seen=self.reserve, expected="a share from 0 to below 1", remedy="give one like 0.2"
            )

    @property
    def max_measurements(self) -> int:
        """Number of candidate winners that may be measured."""
        return 6 * (self.winners + 1) if self.measurements is None else self.measurements

    def first_stop(self, generation_size: int) -> int:
        """Trials after which the first winners are measured: whole generations, at least one."""
        generations = max(1, round(self.trials * (1.0 - self.reserve) / generation_size))
        return min(self.trials, generations * generation_size)
