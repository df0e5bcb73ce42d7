"""The calibration near a budget, in words."""

from __future__ import annotations

from search.constraints.near_budget_record import NearBudget
from search.constraints.near_nets import NEAR


def told(record: NearBudget, maximum_ms: float, bound: str, reason: str) -> str:
    """What was measured, what it changed, and what the bound rests on now (``bound``, the calibration's statement).

    ``reason`` is that of the first net that could not be measured.
    """
    budget = f"the budget of {maximum_ms:g} ms on {record.device}"
    if not record.nets + record.failed:
        found = f"no net that may be measured near {budget} is among {record.looked_at} random nets that were drawn"
        return f"{found}: nothing was measured there. The bound stays as it was: {bound}"
    if not record.nets:
        lost = f"none of {record.failed} nets near {budget} could be measured ({reason})"
        return f"{lost}. The bound stays as it was: {bound}"
    return f"{_measured(record, budget)}{_missing(record, reason)}. {_changed(record)}{_beyond(record)}. Now: {bound}"


def _measured(record: NearBudget, budget: str) -> str:
    low, high = (f"{100 * share:g}" for share in NEAR)
    return f"{record.nets} random nets predicted at {low} to {high} % of {budget} were measured"


def _missing(record: NearBudget, reason: str) -> str:
    missing = record.asked - record.nets - record.failed
    rare = f"; {missing} more were not found among {record.looked_at} random nets" if missing else ""
    return rare + (f"; {record.failed} more could not be measured ({reason})" if record.failed else "")


def _changed(record: NearBudget) -> str:
    before, after = f"{record.factor_before:.3f}", f"{record.factor_after:.3f}"
    if record.factor_after > record.factor_before:
        return f"They widen the bound from {before} to {after} times the prediction"
    return f"They leave the bound at {before} times the prediction"


def _beyond(record: NearBudget) -> str:
    if record.factor_after * NEAR[0] <= 1:
        return ""
    return "; every net that keeps the budget now is predicted below those measured, so they stand for it less well"
