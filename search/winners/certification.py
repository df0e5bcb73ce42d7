"""Measuring candidate winners until enough of them are certified, and how often one file is measured."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from export.bundle.certificate import Certificate, Refusal, certify
from export.bundle.decision import ROUND_SIZE, further_rounds
from latency.bounded import BoundedPredictor
from search.constraints.budgets import Budgets
from search.state import SearchState
from search.trial import Trial
from search.winners.selection import (
    Certify,
    Measure,
    Recalibrate,
    device_results,
    next_candidate,
    safest_candidate,
    won,
)

if TYPE_CHECKING:
    from latency.measuring import Measured

_logger = logging.getLogger(__name__)

_RESERVED_FOR_SAFEST = 2
"""Measurements kept for the safest trials, while there is no winner."""
MeasureAgain = Callable[[int], "Measured"]
"""The file's measurement number 0, 1, ...; each with another seed."""


def certify_winners(
    state: SearchState, measure: Measure, holds: Certify, recalibrate: Recalibrate | None, *, until: int, final: bool
) -> None:
    """Measures the first ``until`` trials, best quality first, until no measurement could improve the winners.

    As long as trials are left to evaluate, two thirds of the allowed measurements may be used: it ends with the winners
    that are wanted and, if so many may be measured, with candidates enough to calibrate the bounds on
    (``Calibration.factor``). At the end (``final``), all trials count, and the safest ones follow while winners are
    missing.
    """
    maximum = state.settings.max_measurements
    allowed = maximum if final else 2 * maximum // 3
    while (used := len(state.store.measured())) < allowed:
        calibrated = recalibrate is None or _calibrated(state.budgets, allowed)
        reserved = used >= maximum - _RESERVED_FOR_SAFEST
        candidate = _candidate(state, until, final=final, calibrated=calibrated, reserved=reserved)
        if candidate is None:
            break
        state.report("winners", used, allowed, f"measuring {candidate.id}")
        _measure(state, candidate, measure, holds, recalibrate)
        state.report("winners", used + 1, allowed, trial=_as_it_is_now(state, candidate))
    state.report("winners", used := len(state.store.measured()), max(used, allowed))


def _candidate(state: SearchState, until: int, *, final: bool, calibrated: bool, reserved: bool) -> Trial | None:
    trials, wanted = state.trials if final else state.trials[:until], state.settings.winners
    found = len(won(trials))
    if not final:
        return None if found >= wanted and calibrated else next_candidate(trials, state.budgets)
    if reserved and not found:
        return safest_candidate(trials, state.budgets)
    best = next_candidate(trials, state.budgets, wanted)
    return safest_candidate(trials, state.budgets) if best is None and found < wanted else best


def _calibrated(budgets: Budgets, allowed: int) -> bool:
    """Whether all bounds rest on measured candidates, those left out that need more than ``allowed``."""
    predictors = [budget.predictor for budget in budgets.latencies]
    calibrations = [each.calibration for each in predictors if isinstance(each, BoundedPredictor)]
    return all(each.rests_on_preferred or each.held_out.needed > allowed for each in calibrations)


def _measure(
    state: SearchState, candidate: Trial, measure: Measure, holds: Certify, recalibrate: Recalibrate | None
) -> None:
    _logger.info("measuring winner %s, quality %.4f, bounds %s", candidate.id, candidate.quality, candidate.upper_ms)
    state.prepare()  # the caller may export the net with the evaluator's weights
    measurements = measure(candidate.architecture)
    results = device_results(state.budgets, measurements, holds)
    state.store.add_results(candidate, results)
    state.reload()
    for result in results:
        _logger.info(
            "winner %s %s on %s%s",
            candidate.id,
            "accepted" if result.holds else "rejected",
            result.device,
            f": {result.reason}" if result.reason else "",
        )
    if recalibrate is not None:
        state.constrain(recalibrate(state.store.measured_trials()))


def _as_it_is_now(state: SearchState, candidate: Trial) -> Trial:
    return next(trial for trial in state.trials if trial.architecture == candidate.architecture)


def certify_file(measure: MeasureAgain, *, budget_ms: float) -> Certificate | Refusal:
    """The first measurement decides; a refusal is reconsidered by the middle one of each of the rounds that follow.

    Other virtual machines of one computer make a net look slower for seconds. A certificate after such a round says so
    (``Certificate.retry``), with the reason of the first refusal.
    """
    measured = measure(0)
    last = first = _decision([measured], budget_ms)
    if isinstance(first, Certificate) or measured.measurement.simulated:
        return first
    _logger.info("refused by the first measurement, measuring again: %s", first.reason)
    for turn, further in enumerate(further_rounds(measure), start=1):
        last = _decision(further, budget_ms)
        if isinstance(last, Certificate):
            which = f"the middle one of {ROUND_SIZE} measurements in round {turn}"
            retry = f"{which}, taken after a first one was refused: {first.reason}"
            return last.model_copy(update={"retry": retry})
    return last


def _decision(measured: Sequence[Measured], budget_ms: float) -> Certificate | Refusal:
    middle = sorted(measured, key=lambda one: one.measurement.latency_ms)[len(measured) // 2]
    floor = middle.noise_floor.normalised_percent
    return certify(middle.measurement, budget_ms=budget_ms, noise_floor_percent=floor)
