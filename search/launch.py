"""Starts a run's search, or resumes it. Importing this module loads torch."""

from __future__ import annotations

from dataclasses import replace

import torch

from foundation.errors import UserError
from search.adoption import adopt_trials
from search.cluster.connect import give_away
from search.cluster.fleet_progress import tell_of_pools
from search.cluster.workers import Workers
from search.constraints.budgets import Budgets
from search.constraints.near_budget import calibrate_near_budget
from search.constraints.near_budget_record import write_near_budget
from search.curve import earlier_folders
from search.earlier_run import take_preparation
from search.evaluators.registry import make_evaluator
from search.loop import SearchResult, run_search
from search.progress import SearchProgress
from search.run_config import versions_of_evaluator
from search.run_context import RunContext
from search.settings import SearchSettings
from search.strategies.registry import make_strategy
from search.trials import TrialStore
from search.winners.finalist_feedback import FinalistFeedback
from search.winners.finalists import Finalists
from segmentation.training.processor import processor


def launch(context: RunContext, budgets: Budgets, *, workers: Workers | None = None) -> SearchResult:
    """Searches under the run's budgets; winners are exported, measured, and certified or rejected.

    Before that the bounds are calibrated on random nets near the budgets (``search.constraints.near_budget``).

    Args:
        context: the run; what it has done already is not done again.
        budgets: ``context.budgets(...)``, with the predictors as they were fitted.
        workers: train the candidates; None trains them here.

    Raises:
        InfeasibleError: no net keeps the budgets; raised before anything is trained.
        DeviceUnavailableError: a device cannot be used here.
        UserError: the candidates so far were compared by other nets than they would be now, a plug-in or the
            training device is missing, or data or checkpoints cannot be read.
        KeyboardInterrupt: on Ctrl-C; the run can be resumed.
    """
    config, space = context.config, context.space
    on_progress = tell_of_pools(context.devices.values(), context.on_progress)
    if workers is None:
        processor(config.training.device)
    _check_estimates(context)
    torch.set_num_threads(config.training.threads)
    others = earlier_folders(config, context.folder.path)
    take_preparation(config, context.folder.path, others)
    evaluator = make_evaluator(config.evaluator, space, context.task, folder=context.folder.path, seed=config.seed)
    if workers is not None:
        on_progress = give_away(evaluator, workers, context, on_progress)
    budgets, near_budget = calibrate_near_budget(
        space,
        budgets,
        context.devices,
        context.store,
        count=config.calibration_nets,
        seed=config.seed,
        on_progress=on_progress,
    )
    write_near_budget(context.folder.near_budget, near_budget)
    finalists = Finalists(context, evaluator)
    with TrialStore(context.folder.trials) as trials:
        for number, trial in enumerate(adopt_trials(space, budgets, trials, others), start=1):
            on_progress(SearchProgress("search", number, config.trials, "of a larger budget", trial=trial))
        result = run_search(
            space,
            budgets,
            evaluator,
            make_strategy(config.strategy, space, budgets, seed=config.seed),
            trials,
            SearchSettings(trials=config.trials, winners=config.winners, seed=config.seed),
            measure=finalists.measure,
            certify=finalists.holds,
            recalibrate=FinalistFeedback(space, budgets),
            on_progress=on_progress,
            first_generation=1 if others else 0,
        )
    return replace(result, near_budget=near_budget)


def _check_estimates(context: RunContext) -> None:
    """Estimates of an unfinished search must rest on the same nets and weights."""
    config = context.config
    with TrialStore(context.folder.trials) as trials:
        unfinished = len(trials.trials()) < config.trials  # also without trials: an evaluator may have begun
    now = versions_of_evaluator(config.evaluator, context.space, config.training)
    if unfinished and any(config.versions.get(name) != sha256 for name, sha256 in now.items()):
        raise UserError(
            f"run {config.run}", seen="candidates compared by nets or weights that shipped with another latseg",
            expected="those of this version", remedy="start a new search; what the run has found stays usable",
        )  # fmt: skip
