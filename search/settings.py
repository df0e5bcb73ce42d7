"""The settings of a search."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from search.options import Count, Options


class SearchSettings(Options):
    """How much is tried and how many winners are wanted.

    Raises:
        UserError: a number is too small, or the reserve is not a share.
    """

    trials: Count = 200
    winners: Count = 3
    seed: int = 0
    feasibility_samples: Count = 500
    measurements: int | None = None
    """Maximum number of measured candidate winners; None for six for each winner and twelve more."""
    reserve: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Share of the trials that is kept until the first candidates were measured, whose ratios decide its bound."""

    @property
    def max_measurements(self) -> int:
        """Number of candidate winners that may be measured."""
        return 6 * (self.winners + 2) if self.measurements is None else self.measurements

    def first_stop(self, generation_size: int) -> int:
        """Trials after which the first winners are measured: whole generations, at least one."""
        generations = max(1, round(self.trials * (1.0 - self.reserve) / generation_size))
        return min(self.trials, generations * generation_size)

    def stops(self, generation_size: int) -> list[int]:
        """Numbers of trials after which winners are measured: of the reserve, after each generation."""
        return [*range(self.first_stop(generation_size), self.trials, generation_size), self.trials]
