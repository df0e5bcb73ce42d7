"""What the budgets leave of the space, estimated before anything is trained."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from foundation.progress import OnProgress, ignore_progress
from search.architecture import Architecture
from search.constraints.budgets import Budgets, ConstraintCheck
from search.progress import SearchProgress
from search.spaces.space import SearchSpace

_logger = logging.getLogger(__name__)

_STARTS = 4
"""Random nets, beside the space's smallest ones, from which each descent starts."""
_STEPS = 200
_LOCAL_ROUNDS = 12
_LOCAL_MUTANTS = 48


@dataclass(frozen=True, slots=True)
class Reach:
    """The smallest or largest values of the space, each of its own net. Latencies are upper bounds by device."""

    parameters: int
    latency_ms: Mapping[str, float]

    def to_json(self) -> dict[str, object]:
        """Plain JSON object."""
        return {"parameters": self.parameters, "latency_ms": dict(self.latency_ms)}


@dataclass(frozen=True, slots=True)
class Feasibility:
    """What a random sample and a descent find out about the budgets."""

    samples: int
    feasible_fraction: float
    """Share of random nets, stratified over depth, that keep every budget."""
    rejected: Mapping[str, int]
    """Number of random nets by the constraint that they violate."""
    smallest: Reach
    """Found by descent; something smaller may exist."""
    largest: Reach
    """Of the sample."""
    closest: ConstraintCheck
    """The safest net: the one whose largest ratio of value to limit is smallest. Where it is infeasible, all are."""
    seconds: float

    @property
    def feasible(self) -> bool:
        """Whether a net is known that keeps every budget."""
        return self.closest.feasible


def feasibility(
    space: SearchSpace,
    budgets: Budgets,
    *,
    samples: int = 1000,
    seed: int = 0,
    on_progress: OnProgress = ignore_progress,
) -> Feasibility:
    """Samples the space, then descends to the smallest value of each quantity and to the safest net."""
    began = time.monotonic()
    rng = Random(f"{seed}/feasibility")
    on_progress(SearchProgress("feasibility", 0, 2))
    checks = budgets.check_many(space, space.sample(samples, rng), predict_all=True)
    on_progress(SearchProgress("feasibility", 1, 2, feasible=sum(v.feasible for v in checks)))
    starts = budgets.check_many(space, space.smallest(), predict_all=True) + checks
    descend = _Descender(space, budgets)
    smallest = _smallest(starts, budgets, descend)
    closest = _closest_net(starts, budgets, descend, rng)
    on_progress(SearchProgress("feasibility", 2, 2, feasible=sum(v.feasible for v in checks)))
    found = Feasibility(
        samples=len(checks),
        feasible_fraction=sum(check.feasible for check in checks) / len(checks),
        rejected=Counter(name for check in checks for name in check.violated),
        smallest=smallest,
        largest=Reach(
            max(v.parameters for v in checks),
            {b.device: max(v.upper_ms[b.device] for v in checks) for b in budgets.latencies},
        ),
        closest=closest,
        seconds=time.monotonic() - began,
    )
    _logger.info("%.1f %% of %d random nets keep every budget", 100 * found.feasible_fraction, found.samples)
    _logger.debug("safest net %s: bounds %s, violates %s", closest.architecture.id, closest.upper_ms, closest.violated)
    return found


Objective = Callable[[ConstraintCheck], float]


@dataclass(frozen=True, slots=True)
class _Descender:
    space: SearchSpace
    budgets: Budgets
    known: dict[Architecture, ConstraintCheck] = field(default_factory=dict)

    def check(self, architectures: Sequence[Architecture]) -> list[ConstraintCheck]:
        """Checks with every latency; each net is checked once, however often it is reached."""
        new = [a for a in dict.fromkeys(architectures) if a not in self.known]
        found = self.budgets.check_many(self.space, new, predict_all=True)
        self.known.update(zip(new, found, strict=True))
        return [self.known[architecture] for architecture in architectures]

    def down(self, starts: Sequence[ConstraintCheck], objective: Objective) -> ConstraintCheck:
        """Best end of the steepest descents through ``space.smaller``."""
        best = sorted(starts, key=objective)[:_STARTS]
        return min((self._descend_from(start, objective) for start in best), key=objective)

    def _descend_from(self, start: ConstraintCheck, objective: Objective) -> ConstraintCheck:
        current = start
        for _ in range(_STEPS):
            better = min(self.check(self.space.smaller(current.architecture)), key=objective, default=current)
            if objective(better) >= objective(current):
                break
            current = better
        return current

    def around(self, start: ConstraintCheck, objective: Objective, rng: Random, *, enough: float) -> ConstraintCheck:
        """Best net that mutation finds from ``start``, for objectives that smaller nets do not lower."""
        best = start
        for _ in range(_LOCAL_ROUNDS):
            if objective(best) <= enough:
                break
            mutants = [self.space.mutate(best.architecture, rng) for _ in range(_LOCAL_MUTANTS)]
            best = min(best, *self.check(mutants), key=objective)
        return best


def _smallest(starts: Sequence[ConstraintCheck], budgets: Budgets, descend: _Descender) -> Reach:
    smallest = descend.down(starts, lambda check: check.parameters)
    fastest = {
        b.device: descend.down(starts, lambda check, device=b.device: check.upper_ms[device])  # type: ignore[misc]
        for b in budgets.latencies
    }
    return Reach(smallest.parameters, {device: check.upper_ms[device] for device, check in fastest.items()})


def _closest_net(
    starts: Sequence[ConstraintCheck], budgets: Budgets, descend: _Descender, rng: Random
) -> ConstraintCheck:
    found = descend.down(starts, budgets.worst_ratio)
    return descend.around(found, budgets.worst_ratio, rng, enough=1.0)
