"""Measuring candidate winners until enough of them are proven, feeding back those that are not."""

from __future__ import annotations

from search.state import SearchState
from search.trial import REJECTED, Trial
from search.winners.selection import Certify, FeedBack, Measure, judge, next_candidate, won

_LAST_RESORT = 2
"""Measurements kept for the safest trials."""


def certify_winners(
    run: SearchState, measure: Measure, certify: Certify, feed_back: FeedBack | None, *, final: bool
) -> None:
    """Measures trials, best quality first, until the wanted winners cannot be bettered.

    Before the ``final`` round half of the allowed measurements may be spent; the final one ends, while nothing has
    won, with the safest trials.
    """
    most = run.settings.most_measurements
    allowed = most if final else most // 2
    while (spent := len(run.store.measured())) < allowed:
        candidate = _candidate(run, last_resort=final and spent >= most - _LAST_RESORT, final=final)
        if candidate is None:
            break
        run.report("winners", spent, allowed, f"measuring {candidate.id}")
        _measure(run, candidate, measure, certify, feed_back)
    run.report("winners", len(run.store.measured()), allowed)


def _candidate(run: SearchState, *, last_resort: bool, final: bool) -> Trial | None:
    winners = won(run.trials)
    if last_resort and not winners:
        return next_candidate(run.trials, run.budgets, run.tightened, run.settings.winners, safest=True)
    found = next_candidate(run.trials, run.budgets, run.tightened, run.settings.winners)
    if found is None and final and not winners:
        return next_candidate(run.trials, run.budgets, run.tightened, run.settings.winners, safest=True)
    return found


def _measure(
    run: SearchState, candidate: Trial, measure: Measure, certify: Certify, feed_back: FeedBack | None
) -> None:
    run.prepare()  # the caller may export the net with the evaluator's weights
    measurements = measure(candidate.architecture)
    findings = judge(run.budgets, measurements, certify)
    run.store.add_findings(candidate, findings)
    run.reload()
    if feed_back is not None and _status(run, candidate) == REJECTED:
        changed = feed_back(candidate.architecture, measurements)
        if changed is not None:
            run.constrain(changed)


def _status(run: SearchState, candidate: Trial) -> str:
    return next(trial.status for trial in run.trials if trial.id == candidate.id)
