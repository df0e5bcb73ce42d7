"""The search: feasibility, evaluator, generations, measured winners."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from search.constraints.budgets import Budgets
from search.constraints.feasibility import Feasibility, feasibility
from search.constraints.infeasible import require_feasible
from search.constraints.near_budget_record import NearBudget
from search.evaluators.evaluator import Evaluator
from search.pareto import fronts
from search.progress import OnProgress, ignore_progress
from search.settings import SearchSettings
from search.spaces.space import SearchSpace
from search.state import SearchState
from search.strategies.strategy import Strategy
from search.trial import Trial
from search.trials import TrialStore
from search.winners.certification import certify_winners
from search.winners.selection import Certify, FeedBack, Measure, won


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search found."""

    trials: list[Trial]
    """In the order of their evaluation; every one kept its budgets when it was evaluated."""
    rejected: Mapping[str, int]
    """Candidates by the constraint they broke; ``measured:<device>`` counts refused winners."""
    repaired: int
    """Of the candidates that broke a budget, those that a repair saved."""
    winners: list[Trial]
    """Best quality first. Certified, or ``uncertified (simulated)``, or, where nothing is measured, ``evaluated``."""
    front: list[Trial]
    """Non-dominated in quality, latency and parameters; best quality first."""
    feasibility: Feasibility
    message: str
    """One line on how it ended, for a person."""
    near_budget: tuple[NearBudget, ...] = ()
    """What was measured near the budgets before, by whoever calibrated their bounds."""


def run_search(
    space: SearchSpace,
    budgets: Budgets,
    evaluator: Evaluator,
    strategy: Strategy,
    trials: TrialStore,
    settings: SearchSettings,
    *,
    measure: Measure | None = None,
    certify: Certify | None = None,
    feed_back: FeedBack | None = None,
    on_progress: OnProgress = ignore_progress,
) -> SearchResult:
    """Searches until the trials are spent and the winners are proven, or can be bettered no more.

    A store that holds trials already is gone on with: ``strategy`` must be fresh and is told the stored trials. A
    ``KeyboardInterrupt`` passes through and leaves the store fit for that. Most trials are spent before the first
    winners are measured, the rest after it, so that the search can learn from rejections.

    Args:
        space: where to search.
        budgets: hard limits; nothing that breaks one is ever evaluated.
        evaluator: estimates quality.
        strategy: proposes; unused before, of the same space.
        trials: the run's store.
        settings: amounts and seed.
        measure: exports and measures a candidate winner. None leaves winners unmeasured.
        certify: the certificate's rule; needed with ``measure``.
        feed_back: is told of each rejected winner and may return budgets with a refitted predictor.
        on_progress: is told about the work.

    Raises:
        InfeasibleError: no net is known to keep the budgets; raised before anything is trained.
        UserError: the store belongs to another run.
    """
    identity = {"space": space.name, "strategy": strategy.name}
    trials.identify(identity | {"classes": str(settings.classes), "seed": str(settings.seed)})
    found = feasibility(
        space,
        budgets,
        classes=settings.classes,
        samples=settings.feasibility_samples,
        seed=settings.seed,
        on_progress=on_progress,
    )
    require_feasible(budgets, found)
    run = SearchState(
        space=space,
        budgets=budgets,
        evaluator=evaluator,
        strategy=strategy,
        store=trials,
        settings=settings,
        found=found,
        on_progress=on_progress,
    )
    if measure is None or certify is None or not budgets.latencies:
        run.evolve(settings.trials)
        return _result(run, sorted(run.trials, key=lambda trial: -trial.quality))
    run.evolve(settings.first_stop)
    certify_winners(run, measure, certify, feed_back, final=False)
    run.evolve(settings.trials)
    certify_winners(run, measure, certify, feed_back, final=True)
    return _result(run, won(run.trials))


def _result(run: SearchState, winners: list[Trial]) -> SearchResult:
    return SearchResult(
        trials=run.trials,
        rejected=run.store.rejected(),
        repaired=run.store.repaired(),
        winners=winners[: run.settings.winners],
        front=_front(run),
        feasibility=run.found,
        message=_message(run, winners[: run.settings.winners]),
    )


def _front(run: SearchState) -> list[Trial]:
    rows = [(-t.quality, run.budgets.latency_ratio(t.upper_ms), float(t.parameters)) for t in run.trials]
    first = fronts(np.array(rows, dtype=np.float64))[0]
    return sorted((run.trials[i] for i in first), key=lambda trial: -trial.quality)


def _message(run: SearchState, winners: list[Trial]) -> str:
    measured = len(run.store.measured())
    certified = sum(trial.certified for trial in winners)
    ended = f"no new candidate keeps the budgets after {len(run.trials)} trials; " if run.exhausted else ""
    if certified:
        return f"{ended}{certified} of {run.settings.winners} winners certified, {measured} nets measured"
    if winners and measured:
        return f"{ended}the device is simulated: {len(winners)} winners keep the budgets there, which certifies nothing"
    if winners:
        return f"{ended}{len(winners)} winners by prediction; nothing was measured, nothing is certified"
    return f"{ended}no winner was certified: each of {measured} measured nets came out above a budget; raise the budget"
