"""Whether a file keeps its budget, measured until something is decided."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from devices.measurement import FailedMeasurement, Measurement
from devices.other_load import BUSY_CORES
from export.bundle.certificate import CPU_PER_WALL_LIMIT
from export.bundle.check import Check

ROUNDS = 2
"""Of further measurements, where the first one does not decide."""
ROUND_SIZE = 3
CLOSE_PERCENT = 2.0
"""Above a budget, in which nothing is decided: about the spread of a network over processes (``remeasured.json``)."""
_PAUSE_S = 5.0
"""Between rounds. Other virtual machines of one computer disturb for seconds, and no load is seen of it."""
_LOOK_S = 1.0
"""Pause between two looks at a machine that is waited for."""

MeasureAgain = Callable[[int], Measurement | FailedMeasurement]
"""Measures once more, with the seed of this attempt."""
Result = TypeVar("Result")
OtherLoad = Callable[[], float]
"""``Device.other_load`` of the device that measures."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What a file may take."""

    ms: float
    model_sha256: str
    """Of the file that must have been measured."""
    note: str = ""
    """Follows the budget where it is told."""


def decide(name: str, budget: Budget, measure: MeasureAgain, other_load: OtherLoad, *, wait_s: float = 0.0) -> Check:
    """The check of one budget.

    A first measurement whose whole interval is within the budget decides. Otherwise up to two rounds of three
    measurements follow, with a pause, and the first round whose middle one is within the budget decides; beside other
    programs, which can make a net look faster relative to the reference net, too, its whole interval must be. If there
    is none, nothing is decided where other programs used the machine meanwhile, or where the last middle one is at most
    ``CLOSE_PERCENT`` above the budget.

    Args:
        name: of the check.
        budget: of the file.
        measure: measures the file.
        other_load: how busy the measuring machine is with other programs.
        wait_s: how long to wait for other programs to leave the machine, before the first and the further measurements.
    """
    loads = [_calm(other_load, wait_s)]
    first = _check(name, budget, measure(0), whole_interval=True)
    if not first.undecided:
        return first
    loads.append(_calm(other_load, wait_s))

    def measured(attempt: int) -> Measurement | FailedMeasurement:
        result = measure(attempt)
        loads.append(other_load())
        return result

    for turn, further in enumerate(further_rounds(measured), start=1):
        middle = _middle(further)
        busy = max(loads) >= BUSY_CORES
        last = _check(name, budget, middle, whole_interval=busy)
        which = f"the middle one of {ROUND_SIZE} measurements in round {turn}, after a first one: {first.detail}"
        if busy or not last.undecided:
            break
    last = replace(last, detail=f"{last.detail}; {which}")
    return _explained(last, budget, middle, max(loads)) if last.undecided else last


def further_rounds(measure: Callable[[int], Result]) -> Iterator[list[Result]]:
    """Rounds of measurements after a first one, which is number 0, with a pause between two rounds.

    How many exports a round saves is in ``benchmarks/results/export_refusals.json``.
    """
    for turn in range(ROUNDS):
        time.sleep(_PAUSE_S * bool(turn))
        yield [measure(1 + turn * ROUND_SIZE + place) for place in range(ROUND_SIZE)]


def _explained(check: Check, budget: Budget, middle: Measurement | FailedMeasurement, load: float) -> Check:
    """A missed budget is undecided only where the machine may be the reason."""
    if load >= BUSY_CORES:
        busy = f"too busy to tell: other programs used {load:.1f} cores; stop them, or use --wait"
        return replace(check, detail=f"{check.detail}; {busy}")
    if isinstance(middle, Measurement) and middle.latency_ms <= (1 + CLOSE_PERCENT / 100) * budget.ms:
        close = f"too close to tell: less than {CLOSE_PERCENT:g} % above the budget; verify again later"
        return replace(check, detail=f"{check.detail}; {close}")
    return replace(check, undecided=False)


def _calm(other_load: OtherLoad, wait_s: float) -> float:
    """Cores that others use, once these are few or the time is over."""
    end = time.monotonic() + wait_s
    while (load := other_load()) >= BUSY_CORES and time.monotonic() < end:
        time.sleep(_LOOK_S)
    return load


def _middle(results: list[Measurement | FailedMeasurement]) -> Measurement | FailedMeasurement:
    measured = [result for result in results if isinstance(result, Measurement)]
    if len(measured) < len(results):
        return next(result for result in results if isinstance(result, FailedMeasurement))
    return sorted(measured, key=lambda result: result.latency_ms)[len(measured) // 2]


def _check(
    name: str, budget: Budget, result: Measurement | FailedMeasurement, *, whole_interval: bool = False
) -> Check:
    """Undecided where the budget was exceeded, for which the load of the machine may be the reason."""
    if isinstance(result, FailedMeasurement):
        return Check(name, False, result.reason)
    if result.model_sha256 != budget.model_sha256:
        return Check(name, False, "another file was measured")
    if not result.cpu_per_wall <= CPU_PER_WALL_LIMIT * result.device.threads:
        return Check(name, False, f"more threads ran than the {result.device.threads} that were requested")
    low, high = result.interval_ms
    unsure = "" if result.converged else ", not converged"
    kept = max(result.latency_ms, high if whole_interval else 0.0) <= budget.ms
    detail = (
        f"{result.latency_ms:.3f} ms ({low:.3f} to {high:.3f}{unsure}) "
        f"against a budget of {budget.ms:g} ms{budget.note}"
    )
    return Check(name, kept, detail, undecided=not kept)
