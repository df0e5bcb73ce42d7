"""The one-sided conformal quantile, corrected for the number of nets.

Source: Vovk et al. 2005; Lei et al. 2018, "Distribution-free predictive inference for regression": of n exchangeable
scores the ceil((n + 1)(1 - alpha))-th smallest is exceeded by a further one with probability at most alpha. Where n is
smaller than that rank, the largest score is exceeded with probability at most 1 / (n + 1).

The probability is over the draw of the n nets, too. Given one draw, the share that is covered scatters around it:
it is Beta(rank, n + 1 - rank) distributed (Vovk 2012) where ratios have no ties.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True, slots=True)
class ConformalQuantile:
    """An upper bound of the next ratio after these; at least one ratio, ``alpha`` inside (0, 1)."""

    ratios: Sequence[float]
    alpha: float

    @property
    def count(self) -> int:
        """Number of nets."""
        return len(self.ratios)

    @property
    def exact(self) -> bool:
        """Whether there are enough nets for the level; otherwise the largest ratio is the bound."""
        return _rank(self.count, self.alpha) <= self.count

    @property
    def value(self) -> float:
        """The bound."""
        return sorted(self.ratios)[min(_rank(self.count, self.alpha), self.count) - 1]

    @property
    def confidence(self) -> float:
        """Probability that a further exchangeable net lies within the bound; with few nets, below the level."""
        return 1 - self.alpha if self.exact else self.count / (self.count + 1)

    @property
    def needed(self) -> int:
        """Smallest number of nets that reach the level."""
        return next(n for n in range(1, 10**6) if _rank(n, self.alpha) <= n)

    @property
    def level(self) -> str:
        """The requested level as text, such as ``90 %``."""
        return f"{100 * (1 - self.alpha):g} %"


def _rank(count: int, alpha: float) -> int:
    """Rank of the quantile; more than ``count`` where there is none. Guards against rounding of 1 - alpha."""
    return ceil((count + 1) * (1 - alpha) - 1e-9)
