"""One-sided conformal bound on the ratio truth / prediction.

Source: Papadopoulos et al. 2002 and Lei et al. 2018 (split conformal), with the normalised score of the ratio: for n
exchangeable nets the ceil((n + 1)(1 - alpha))-th smallest ratio bounds a new net's ratio with probability 1 - alpha,
exactly, where the predictor was trained without the n nets. The nets of a campaign are training nets as well; the ratio
of each is that of parts of the predictor that were trained without it (cross-conformal, Vovk 2015). There the level is
nominal, and checked by experiment (``benchmarks/coverage.py``).

A search decides near its budget, where the error of a predictor may be larger than over the whole space. Random nets
that are predicted there and measured (``Calibration.with_near_budget``) were not trained on; they bound, exactly, the
ratio of other random nets predicted there. Where they show that predictions are too high there, the bound of the nets
held out moves with them, and not below theirs.

The nets that a search prefers are not exchangeable with these: a search prefers nets whose latency is predicted too
low. Measured finalists are therefore fed back (``Calibration.recalibrated``). Those that it proposes later resemble
them more than random nets do: once there are enough, their quantile is the bound, in place of the others
(``benchmarks/bound_rules.py`` compares the rules). Every finalist is measured anyway.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from math import isfinite
from statistics import median
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from foundation.errors import UserError
from latency.conformal import ConformalQuantile

UNSEEN_WIDENING = 2.5
"""Times the predicted time of operators that were never measured, which is added to the bound."""

ISOLATED_WIDENING = 0.2
"""The same for operators that were measured in small models only: among others, or alone. Operators take together about
as long within nets as alone; single ones take several times as long (``benchmarks/alone_and_in_nets.py``)."""

FOREIGN_WIDENING = 0.05
"""The same for the other operators of a net that has any of these: such a net is none of the profiled space, and its
operators have other neighbours. All three were chosen on 30 nets of 14 families, with two runtimes
(``benchmarks/outside_bound.py``)."""


def widening_ms(unseen_ms: float, isolated_ms: float, others_ms: float) -> float:
    """Part of a net's upper bound that no calibration changes; 0 for a net of operators that were measured in nets.

    ``unseen_ms`` is predicted for operators never measured, ``isolated_ms`` for those never measured in nets, and
    ``others_ms`` for the rest of the net.
    """
    foreign_ms = others_ms if unseen_ms or isolated_ms else 0.0
    return unseen_ms * UNSEEN_WIDENING + isolated_ms * ISOLATED_WIDENING + foreign_ms * FOREIGN_WIDENING


@dataclass(frozen=True)  # without slots, which leave no room for what is cached
class Calibration:
    """A factor on predictions, and the ratios it was computed from."""

    alpha: float
    ratios: tuple[float, ...]
    """Measured / predicted of nets held out."""
    fed_back: tuple[float, ...] = ()
    """The same of nets that a search preferred and measured, in that order."""
    near_budget: tuple[float, ...] = ()
    """The same of random nets predicted near a budget, drawn without regard to their quality."""

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
    def held_out(self) -> ConformalQuantile:
        """The bound on the ratio of nets like the calibration nets; for random nets near the budget, see ``near``."""
        return ConformalQuantile(self.ratios, self.alpha)

    @property
    def near(self) -> ConformalQuantile | None:
        """The bound on the ratio of random nets near the budget; None where none were measured."""
        return ConformalQuantile(self.near_budget, self.alpha) if self.near_budget else None

    @property
    def rests_on_preferred(self) -> bool:
        """Whether enough nets were fed back for the level: then their quantile is the bound."""
        return bool(self.fed_back) and ConformalQuantile(self.fed_back, self.alpha).exact

    @cached_property
    def factor(self) -> float:
        """Upper bound / prediction for a net of seen operators.

        Of nets fed back, enough for the level, it is their quantile, and may be below 1. Otherwise it is the largest of
        the sets' bounds, and at least 1: pooled, the few nets near the budget or fed back would be diluted.
        """
        if self.rests_on_preferred:
            return ConformalQuantile(self.fed_back, self.alpha).value
        near = [self.near.value] if self.near else []
        return max(1.0, self.held_out.value * self.shift, *near, *self.fed_back)

    @property
    def shift(self) -> float:
        """Median ratio near the budget / median ratio of the nets held out, where it is below 1; else 1.

        Of too few nets for the level it is 1.
        """
        if self.near is None or not self.near.exact:
            return 1.0
        return min(1.0, median(self.near_budget) / median(self.ratios))

    @property
    def factor_without_near_budget(self) -> float:
        """``factor`` without the nets measured near the budget."""
        return replace(self, near_budget=()).factor

    @property
    def statement(self) -> str:
        """How the bound was calibrated, in a sentence."""
        if self.rests_on_preferred:
            return (
                f"bound calibrated on {len(self.fed_back)} measured candidates of the search at {self.held_out.level}: "
                f"{self.factor:.3f} times the prediction"
            )
        near = self.near
        if near is None:
            return self._held_out_statement
        if near.exact:
            near_statement = f"and on {near.count} random nets near the budget at {near.level}, for nets like those"
            if self.shift < 1:
                near_statement += f", of which predictions are {100 / self.shift - 100:.1f} % too high"
        else:
            near_statement = (
                f"and no smaller than the largest ratio of {near.count} random nets near the budget: fewer than the "
                f"{near.needed} that {near.level} needs; it holds with probability {near.confidence:.2f} for nets "
                "like those"
            )
        return f"{self._held_out_statement}; {near_statement}"

    @property
    def _held_out_statement(self) -> str:
        held_out = self.held_out
        if held_out.exact:
            return f"bound calibrated on {held_out.count} held-out nets at {held_out.level}, for nets like these"
        return (
            f"bound is the largest ratio of {held_out.count} held-out nets: fewer than the {held_out.needed} that "
            f"{held_out.level} needs; it holds with probability {held_out.confidence:.2f} for nets like these"
        )

    def upper_ms(self, latency_ms: float, widening_ms: float = 0.0) -> float:
        """Upper bound of a net's latency; ``widening_ms`` as the function of that name gives it."""
        return latency_ms * self.factor + widening_ms

    def recalibrated(self, ratios: Sequence[float]) -> Calibration:
        """With the ratios of nets that a search preferred and measured, after those fed back before."""
        return replace(self, fed_back=(*self.fed_back, *Calibration.of(ratios, alpha=self.alpha).ratios))

    def with_near_budget(self, ratios: Sequence[float]) -> Calibration:
        """With the ratios of random nets predicted near the budget, in place of any earlier ones.

        Raises:
            UserError: no ratios, or impossible ones.
        """
        return replace(self, near_budget=Calibration.of(ratios, alpha=self.alpha).ratios)

    def coverage(self, ratios: Sequence[float]) -> float:
        """Share of nets whose ratio lies within the factor."""
        return float(np.mean(np.asarray(ratios) <= self.factor))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON object."""
        return asdict(self)

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> Calibration:
        """Reads what ``to_json`` wrote, also before there were nets near a budget.

        Raises:
            ValueError, UserError: not such a document.
        """
        calibration = _ADAPTER.validate_python(document)
        for ratios in (calibration.ratios, calibration.fed_back or (1.0,), calibration.near_budget or (1.0,)):
            Calibration.of(ratios, alpha=calibration.alpha)
        return calibration


_ADAPTER = TypeAdapter(Calibration)
