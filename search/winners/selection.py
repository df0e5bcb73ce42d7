"""Which trials are measured as candidate winners, and what a measurement makes of them.

The trials of best quality are measured first. A rejection widens the margin between bound and budget on the device
that rejected, so that the next candidate lies further below it; when nothing keeps the widened margin, the safest
trials come next. So a search ends with a certified winner whenever one of its trials can be certified.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from devices.measurement import FailedMeasurement, Measurement
from search.architecture import Architecture
from search.constraints.budgets import Budgets, LatencyBudget
from search.spaces.space import SearchSpace
from search.trial import CERTIFIED, EVALUATED, UNCERTIFIED, DeviceResult, Trial

Measure = Callable[[Architecture], Mapping[str, Measurement | FailedMeasurement]]
"""Exports the architecture's net and measures it on each device of the budgets; by the budgets' device names."""
Certify = Callable[[Measurement, float, str], bool]
"""From a measurement, the budget in milliseconds and the device's name to whether the certificate's rule holds."""
FeedBack = Callable[[Architecture, Mapping[str, Measurement | FailedMeasurement]], Budgets | None]
"""Learns from a rejected winner; returns budgets with the refitted predictor, or None where nothing changed."""

_LEAST_STEP, _GREATEST_STEP = 1.03, 1.10
"""Bounds of what one rejection multiplies a margin with: it must move, and one outlier must not empty the space."""


def judge(
    budgets: Budgets, measurements: Mapping[str, Measurement | FailedMeasurement], certify: Certify
) -> tuple[DeviceResult, ...]:
    """What each device of the budgets says; a device without a measurement does not hold."""
    return tuple(_finding(budget, measurements.get(budget.device), certify) for budget in budgets.latencies)


def _finding(
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


def refreshed(trials: Sequence[Trial], space: SearchSpace, budgets: Budgets, classes: int) -> list[Trial]:
    """The trials with their latencies predicted by the budgets' present predictors."""
    verdicts = budgets.check_many(space, [trial.architecture for trial in trials], classes, predict_all=True)
    return [
        replace(trial, predicted_ms=verdict.predicted_ms, upper_ms=verdict.upper_ms)
        for trial, verdict in zip(trials, verdicts, strict=True)
    ]


def margins(measured: Sequence[Trial], budgets: Budgets) -> dict[str, float]:
    """Margin by device, from the measured trials in the order of their measurement.

    Each rejection widens it by what the measurement's upper end exceeded the budget's view of the net, within bounds.
    """
    widened = {budget.device: 1.0 for budget in budgets.latencies}
    for trial in measured:
        for finding in trial.findings:
            if not finding.holds and finding.device in widened:
                before = widened[finding.device]
                wanted = _overrun(trial, finding) * _LEAST_STEP / before
                widened[finding.device] = before * min(max(wanted, _LEAST_STEP), _GREATEST_STEP)
    return widened


def _overrun(trial: Trial, finding: DeviceResult) -> float:
    if finding.interval_ms is None:
        return 1.0
    return finding.interval_ms[1] / trial.upper_ms[finding.device]


def won(trials: Sequence[Trial]) -> list[Trial]:
    """Measured trials that hold, best quality first; simulated ones hold without being certified."""
    holding = [trial for trial in trials if trial.status in (CERTIFIED, UNCERTIFIED)]
    return sorted(holding, key=lambda trial: -trial.quality)


def next_candidate(
    trials: Sequence[Trial], budgets: Budgets, tightened: Budgets, wanted: int, *, safest: bool = False
) -> Trial | None:
    """The trial to measure next, or None where no measurement could better the winners.

    Best quality first among those that keep the tightened budgets and would better the worst winner. ``safest`` asks
    for the one furthest below the budgets instead: the last resort while nothing has won.
    """
    unmeasured = [trial for trial in trials if trial.status == EVALUATED]
    if safest:
        allowed = [trial for trial in unmeasured if not budgets.violated(trial.parameters, trial.upper_ms)]
        return min(allowed or unmeasured, key=lambda trial: budgets.latency_ratio(trial.upper_ms), default=None)
    kept = [trial for trial in unmeasured if not tightened.violated(trial.parameters, trial.upper_ms)]
    winners = won(trials)[:wanted]
    if len(winners) == wanted:
        kept = [trial for trial in kept if trial.quality > winners[-1].quality]
    return max(kept, key=lambda trial: (trial.quality, -trial.parameters), default=None)
