"""Which trials are measured as candidate winners, and what follows from a measurement.

The trials of best quality are measured first. After each measurement the caller recalibrates the bound, so that the
next candidate keeps the budget by the new bound; when nothing keeps it, the safest trials come next. So a search ends
with a certified winner whenever one of its trials can be certified.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from devices.measurement import FailedMeasurement, Measurement
from search.architecture import Architecture
from search.constraints.budgets import Budgets, LatencyBudget
from search.spaces.space import SearchSpace
from search.trial import CERTIFIED, EVALUATED, UNCERTIFIED, DeviceResult, Trial

_AT_ONCE = 1000
"""Trials whose operator graphs are in memory at once."""
Measurements = Mapping[str, Measurement | FailedMeasurement]
"""By the device's name in the budgets."""
Measure = Callable[[Architecture], Measurements]
"""Exports the architecture's net and measures it on each device of the budgets."""
Certify = Callable[[Measurement, float, str], bool]
"""From a measurement, the budget in milliseconds and the device's name to whether the certificate's rule holds."""
Recalibrate = Callable[[Sequence[Trial]], Budgets]
"""From the measured candidates, in the order of their measurement, to budgets with recalibrated predictors."""


def device_results(budgets: Budgets, measurements: Measurements, certify: Certify) -> tuple[DeviceResult, ...]:
    """One result per device of the budgets; a device without a measurement does not hold."""
    return tuple(_result(budget, measurements.get(budget.device), certify) for budget in budgets.latencies)


def _result(
    budget: LatencyBudget, measurement: Measurement | FailedMeasurement | None, certify: Certify
) -> DeviceResult:
    if measurement is None:
        return DeviceResult(budget.device, None, None, holds=False, reason="not measured")
    if isinstance(measurement, FailedMeasurement):
        return DeviceResult(budget.device, None, None, holds=False, reason=measurement.reason)
    if measurement.simulated:
        holds = measurement.interval_ms[1] <= budget.maximum_ms
    else:
        holds = certify(measurement, budget.maximum_ms, budget.device)
    over = f"{measurement.latency_ms:.3g} ms measured is not safely under {budget.maximum_ms:g} ms"
    return DeviceResult(
        device=budget.device,
        measured_ms=measurement.latency_ms,
        interval_ms=measurement.interval_ms,
        holds=holds,
        simulated=measurement.simulated,
        reason="" if holds else over,
    )


def predicted_again(trials: Sequence[Trial], space: SearchSpace, budgets: Budgets) -> list[Trial]:
    """The trials with their latencies and bounds by the budgets' current predictors.

    Only those are predicted that other predictors predicted before: to lower and predict a net takes a hundred times as
    long as to bound a known prediction.
    """
    again = list(trials)
    unknown = []
    for position, trial in enumerate(trials):
        upper_ms = budgets.upper_again_ms(trial.predictions)
        if upper_ms is None:
            unknown.append(position)
        else:
            predicted_ms = {device: trial.predictions[device].latency_ms for device in upper_ms}
            again[position] = replace(trial, predicted_ms=predicted_ms, upper_ms=upper_ms)
    for start in range(0, len(unknown), _AT_ONCE):
        part = unknown[start : start + _AT_ONCE]
        checks = budgets.check_many(space, [trials[position].architecture for position in part], predict_all=True)
        for position, check in zip(part, checks, strict=True):
            again[position] = replace(
                trials[position],
                predicted_ms=check.predicted_ms,
                upper_ms=check.upper_ms,
                predictions=check.predictions,
            )
    return again


def won(trials: Sequence[Trial]) -> list[Trial]:
    """Measured trials that hold, best quality first; simulated ones hold without being certified."""
    holding = [trial for trial in trials if trial.status in (CERTIFIED, UNCERTIFIED)]
    return sorted(holding, key=lambda trial: -trial.quality)


def next_candidate(trials: Sequence[Trial], budgets: Budgets, winners: int | None = None) -> Trial | None:
    """The best unmeasured trial that keeps the budgets; given ``winners``, one better than the worst of so many."""
    kept = [trial for trial in _unmeasured(trials) if not budgets.violated(trial.parameters, trial.upper_ms)]
    best = won(trials)[:winners]
    if len(best) == winners:
        kept = [trial for trial in kept if trial.quality > best[-1].quality]
    return max(kept, key=lambda trial: (trial.quality, -trial.parameters), default=None)


def safest_candidate(trials: Sequence[Trial], budgets: Budgets) -> Trial | None:
    """The unmeasured trial furthest below the latency budgets."""
    return min(_unmeasured(trials), key=lambda trial: budgets.latency_ratio(trial.upper_ms), default=None)


def _unmeasured(trials: Sequence[Trial]) -> list[Trial]:
    return [trial for trial in trials if trial.status == EVALUATED]
