"""The search: feasibility, evaluator, generations, measured winners."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from foundation.progress import OnProgress, ignore_progress
from latency.bounded import BoundedPredictor
from search.constraints.budgets import Budgets
from search.constraints.feasibility import Feasibility, feasibility
from search.constraints.infeasible import require_feasible
from search.constraints.near_budget_record import NearBudget
from search.evaluators.evaluator import Evaluator
from search.objectives import objectives
from search.pareto import fronts
from search.settings import SearchSettings
from search.spaces.space import SearchSpace
from search.state import SearchState
from search.strategies.strategy import Strategy
from search.trial import Trial
from search.trials import TrialStore
from search.winners.certification import certify_winners
from search.winners.selection import Certify, Measure, Recalibrate, won


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The result of a search."""

    trials: list[Trial]
    """In the order of their evaluation; every one kept its budgets when it was evaluated."""
    rejected: Mapping[str, int]
    """Number of candidates by the constraint that they violated; ``measured:<device>`` counts rejected winners."""
    repaired: int
    """Of the candidates that violated a budget, the number that a repair saved."""
    winners: list[Trial]
    """Best quality first. Certified, or ``uncertified (simulated)``, or, where nothing is measured, ``evaluated``."""
    front: list[Trial]
    """Non-dominated in quality, latency and parameters; best quality first."""
    feasibility: Feasibility
    message: str
    """How the search ended, in one line."""
    near_budget: tuple[NearBudget, ...] = ()
    """What the caller measured near the budgets before the search."""
    bounds: Mapping[str, str] = field(default_factory=dict)
    """By device, how the search's own candidates calibrated the bound in the end; only where they did."""


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
    recalibrate: Recalibrate | None = None,
    on_progress: OnProgress = ignore_progress,
    first_generation: int = 0,
) -> SearchResult:
    """Searches until the trials are used up and the winners are certified, or cannot be improved.

    A store with trials is resumed: ``strategy`` must be new and receives the stored trials. A ``KeyboardInterrupt``
    passes through and leaves the store ready for that. Most trials are evaluated before the first winners are measured.
    The rest follow generation by generation, under the bounds that the measured ones recalibrated; as long as winners
    are missing, more are measured after each.

    Args:
        space: where to search.
        budgets: hard limits; nothing that violates one is ever evaluated.
        evaluator: estimates quality.
        strategy: proposes candidates; new, of the same space.
        trials: the run's store.
        settings: amounts and seed.
        measure: exports and measures a candidate winner. None leaves winners unmeasured.
        certify: the certificate's rule; needed with ``measure``.
        recalibrate: called with all measured candidates after each measurement, and with those of the store.
        on_progress: called after each step.
        first_generation: number of the first own one; what the store has of earlier ones are trials of other runs.

    Raises:
        InfeasibleError: no net is known to keep the budgets; raised before anything is trained.
        UserError: the store belongs to another run.
    """
    identity = {"space": space.name, "strategy": strategy.name}
    trials.identify(identity | {"classes": str(space.classes), "seed": str(settings.seed)})
    samples, seed = settings.feasibility_samples, settings.seed
    found = feasibility(space, budgets, samples=samples, seed=seed, on_progress=on_progress)
    require_feasible(budgets, found)
    if recalibrate is not None and (measured := trials.measured_trials()):
        budgets = recalibrate(measured)
    state = SearchState(space, budgets, evaluator, strategy, trials, settings, found, on_progress, first_generation)
    if measure is None or certify is None or not budgets.latencies:
        state.evolve(settings.trials)
        return _result(state, sorted(state.trials, key=lambda trial: -trial.quality))
    for stop in settings.stops(strategy.generation_size):
        reached, final = state.evolve_once(stop), stop == settings.trials
        if final or not state.went_beyond(reached):
            certify_winners(state, measure, certify, recalibrate, until=reached, final=final)
    return _result(state, won(state.trials))


def _result(state: SearchState, winners: list[Trial]) -> SearchResult:
    return SearchResult(
        trials=state.trials,
        rejected=state.store.rejected(),
        repaired=state.store.repaired(),
        winners=winners[: state.settings.winners],
        front=_front(state),
        feasibility=state.feasibility,
        message=_message(state, winners[: state.settings.winners]),
        bounds=_bounds(state.budgets),
    )


def _bounds(budgets: Budgets) -> dict[str, str]:
    predictors = [(each.device, each.predictor) for each in budgets.latencies]
    return {
        device: predictor.calibration.statement
        for device, predictor in predictors
        if isinstance(predictor, BoundedPredictor) and predictor.calibration.rests_on_preferred
    }


def _front(state: SearchState) -> list[Trial]:
    rows = [objectives(trial, state.budgets) for trial in state.trials]
    first = fronts(np.array(rows, dtype=np.float64), least=1)[0]
    return sorted((state.trials[i] for i in first), key=lambda trial: -trial.quality)


def _message(state: SearchState, winners: list[Trial]) -> str:
    wanted, measured = state.settings.winners, len(state.store.measured())
    reached = f"{len(winners)} of {wanted} winners"
    exhausted = len(state.trials) < state.settings.trials
    ended = f"no new candidate keeps the budgets after {len(state.trials)} trials; " if exhausted else ""
    missing = f"; {_spent(state, measured)}" if measured and len(winners) < wanted else ""
    if any(trial.certified for trial in winners):
        return f"{ended}{reached} certified, {measured} nets measured{missing}"
    if winners and measured:
        return f"{ended}the device is simulated: {reached} keep the budgets there, which certifies nothing{missing}"
    if winners:
        return f"{ended}{reached} by prediction; nothing was measured, nothing is certified"
    above = f"each of {measured} measured nets came out above a budget"
    return f"{ended}no winner was certified: {above}{missing}; raise the budget"


def _spent(state: SearchState, measured: int) -> str:
    """Why no further winner is measured."""
    if measured == len(state.trials):
        return f"all {measured} trials are measured"
    return f"the limit of {state.settings.max_measurements} measured nets is reached"
