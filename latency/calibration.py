"""One-sided split conformal bound on the ratio truth / prediction.

Source: Papadopoulos et al. 2002 and Lei et al. 2018 (split conformal), with the normalised score of the ratio: for n
exchangeable nets the ceil((n + 1)(1 - alpha))-th smallest ratio bounds a new net's ratio with probability 1 - alpha.

Exchangeability ends where a search begins: it prefers nets whose latency is predicted too low. Measured winners are
therefore fed back (``Calibration.recalibrated``), and every finalist is measured anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, isfinite
from typing import Any

import numpy as np

from devices.errors import UserError

UNSEEN_WIDENING = 2.0
"""Time predicted for operators never measured may be this many times itself too small before the bound breaks."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """A factor on predictions, and the ratios it was taken from."""

    alpha: float
    ratios: tuple[float, ...]
    """Truth / prediction of nets that the predictor was not fitted on."""
    fed_back: tuple[float, ...] = ()
    """The same of nets that a search preferred, measured later."""

    @staticmethod
    def of(ratios: Sequence[float], *, alpha: float = 0.1) -> Calibration:
        """Calibrates on held-out nets.

        Raises:
            UserError: no ratios, or one that is not positive and finite, or alpha outside (0, 1).
        """
        if not 0 < alpha < 1:
            raise UserError("alpha", seen=alpha, expected="a share between 0 and 1", remedy="take 0.1")
        if not ratios or not all(isfinite(ratio) and ratio > 0 for ratio in ratios):
            raise UserError(
                "calibration ratios",
                seen=f"{len(ratios)} ratios",
                expected="at least one, all positive and finite",
                remedy="measure more nets: `latseg profile`",
            )
        return Calibration(alpha, tuple(ratios))

    @property
    def count(self) -> int:
        """Number of calibration nets."""
        return len(self.ratios)

    @property
    def exact(self) -> bool:
        """Whether there were enough nets for the quantile; otherwise their largest ratio stands in for it."""
        return _rank(self.count, self.alpha) <= self.count

    @property
    def confidence(self) -> float:
        """Probability with which the bound holds for a net like those calibrated on: less than asked with few nets."""
        return 1 - self.alpha if self.exact else self.count / (self.count + 1)

    @property
    def factor(self) -> float:
        """Upper bound / prediction for a net of seen operators; at least 1.

        Nets that were fed back can only raise it: they are selected, so their ratios must not dilute the others.
        """
        bounds = [_quantile(self.ratios, self.alpha), 1.0]
        if self.fed_back:
            bounds.append(_quantile(self.fed_back, self.alpha))
        return max(bounds)

    @property
    def statement(self) -> str:
        """What the bound rests on, in a sentence."""
        confidence = f"{100 * (1 - self.alpha):g} %"
        if self.exact:
            return f"bound calibrated on {self.count} held-out nets at {confidence}, for nets like these"
        needed = next(n for n in range(self.count, 10**6) if _rank(n, self.alpha) <= n)
        return (
            f"bound is the largest ratio of {self.count} held-out nets: fewer than the {needed} that {confidence} "
            f"needs; it holds with probability {self.confidence:.2f} for nets like these"
        )

    def upper_ms(self, latency_ms: float, unseen_ms: float = 0.0) -> float:
        """Upper bound of a net's latency, ``unseen_ms`` of which is predicted for operators never measured."""
        return latency_ms * self.factor + unseen_ms * UNSEEN_WIDENING

    def recalibrated(self, ratios: Sequence[float]) -> Calibration:
        """With the ratios of further measured nets, e.g. of a search's finalists near the budget."""
        return replace(self, fed_back=(*self.fed_back, *Calibration.of(ratios, alpha=self.alpha).ratios))

    def coverage(self, ratios: Sequence[float]) -> float:
        """Share of nets whose ratio lies within the factor."""
        return float(np.mean(np.asarray(ratios) <= self.factor))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON object."""
        return {"alpha": self.alpha, "ratios": list(self.ratios), "fed_back": list(self.fed_back)}

    @staticmethod
    def from_json(document: dict[str, Any]) -> Calibration:
        """Reads what ``to_json`` wrote.

        Raises:
            KeyError, TypeError, ValueError, UserError: not such a document.
        """
        calibration = Calibration.of([float(ratio) for ratio in document["ratios"]], alpha=float(document["alpha"]))
        fed_back = [float(ratio) for ratio in document["fed_back"]]
        return calibration.recalibrated(fed_back) if fed_back else calibration


def _rank(count: int, alpha: float) -> int:
    """Rank of the conformal quantile; more than ``count`` where there is none. Guards against rounding of 1 - alpha."""
    return ceil((count + 1) * (1 - alpha) - 1e-9)


def _quantile(ratios: Sequence[float], alpha: float) -> float:
    return sorted(ratios)[min(_rank(len(ratios), alpha), len(ratios)) - 1]
