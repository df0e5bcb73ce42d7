"""The error for budgets that no net is known to keep, with what could be reached."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from foundation.errors import UserError
from latency.bounded import BoundedPredictor
from search.constraints.budgets import Budgets, ConstraintCheck, LatencyBudget
from search.constraints.feasibility import Feasibility, Reach


class InfeasibleError(UserError):
    """No net of the space is known to keep the budgets; carries the smallest reachable values."""

    exit_code = 3

    def __init__(self, budgets: Budgets, found: Feasibility) -> None:
        self.feasibility = found
        refused = found.closest.refused
        names = ", ".join(name.removeprefix("portable:") for name in refused)
        if refused and set(refused) == set(found.closest.violated):
            super().__init__(
                "search space",
                seen=f"operators that {names} refuses in each net that was looked at",
                expected="nets of which it runs all",
                remedy="choose another space, or leave the name out of --portable",
            )
            return
        limits = _limits(budgets)
        reached = _reached(budgets, found.smallest)
        beyond = [name for name, limit in limits.items() if reached[name] > limit]
        smallest = ", ".join(_quantity(name, reached[name]) for name in beyond or limits)
        together = f", each on a net of its own; the closest net to all of them has {_closest(budgets, found.closest)}"
        super().__init__(
            "budget" if beyond else "budgets taken together",
            seen=" and ".join(_quantity(name, limits[name]) for name in beyond or limits),
            expected=f"at least the smallest reachable {smallest}" + ("" if beyond else together),
            remedy=("raise the budget" if beyond else "raise one of the budgets")
            + _widened(budgets, beyond, reached)
            + (f"; {names} refuses operators of the closest net, too: try it without --portable" if refused else ""),
        )


def require_feasible(budgets: Budgets, found: Feasibility) -> None:
    """Returns where some net is known to keep the budgets.

    Raises:
        InfeasibleError: none is; exit code 3.
    """
    if not found.feasible:
        raise InfeasibleError(budgets, found)


def _limits(budgets: Budgets) -> dict[str, float]:
    limits = {} if budgets.parameters is None else {"parameters": float(budgets.parameters.maximum)}
    return limits | {budget.constraint: budget.maximum_ms for budget in budgets.latencies}


def _reached(budgets: Budgets, smallest: Reach) -> dict[str, float]:
    """Smallest values by constraint: what the limits would have to be."""
    times = {b.constraint: smallest.latency_ms[b.device] for b in budgets.latencies}
    return {"parameters": float(smallest.parameters)} | times


def _quantity(name: str, value: float) -> str:
    if name == "parameters":
        return f"{value:,.0f} parameters"
    if not math.isfinite(value):
        return f"no finite bound on {name.removeprefix('latency:')}"
    # Rounded up: a user who types the number gets a budget that can be kept.
    return f"{math.ceil(value * 1000) / 1000:g} ms on {name.removeprefix('latency:')}"


def _closest(budgets: Budgets, check: ConstraintCheck) -> str:
    sizes = [_quantity("parameters", check.parameters)] if budgets.parameters is not None else []
    times = [_quantity(b.constraint, check.upper_ms[b.device]) for b in budgets.latencies]
    return " and ".join(sizes + times)


def _widened(budgets: Budgets, beyond: Sequence[str], reached: Mapping[str, float]) -> str:
    """Says which budgets could be kept without the nets measured near them; empty where that is not the reason."""
    return "".join(
        _widening(budget, reached[budget.constraint])
        for budget in budgets.latencies
        if budget.constraint in beyond or not beyond
    )


def _widening(budget: LatencyBudget, reached_ms: float) -> str:
    if not isinstance(budget.predictor, BoundedPredictor):
        return ""
    calibration = budget.predictor.calibration
    before, after = calibration.factor_without_near_budget, calibration.factor
    if after <= before or reached_ms * before / after > budget.maximum_ms:
        return ""
    widened = f"widened the bound from {before:.3f} to {after:.3f} times the prediction"
    return f" (on {budget.device}, random nets measured near the budget {widened})"
