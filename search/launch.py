"""Starts a run's search, or goes on with it. Importing this module loads torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch

from latency.bounded import BoundedPredictor
from search.constraints.budgets import Budgets, LatencyBudget, ParameterBudget
from search.constraints.near_budget import calibrate_near_budget
from search.constraints.near_budget_record import write_near_budget
from search.evaluators.supernet import SupernetEvaluation, SupernetEvaluator
from search.loop import SearchResult, run_search
from search.run_context import RunContext
from search.settings import SearchSettings
from search.strategies.registry import make_strategy
from search.trials import TrialStore
from search.winners.finalists import Finalists
from search.winners.rejection_feedback import RejectionFeedback
from segmentation.supernet.training import SupernetSettings


def launch(session: RunContext, predictors: Mapping[str, BoundedPredictor]) -> SearchResult:
    """Searches under the run's budgets; winners are exported, measured, and certified or rejected.

    Before that the bounds are calibrated on random nets near the budgets (``search.constraints.near_budget``).

    Args:
        session: the run; what it has done already is not done again.
        predictors: by the name of the budget's device.

    Raises:
        InfeasibleError: no net keeps the budgets; raised before anything is trained.
        DeviceUnavailableError, UserError, UserError: as the parts say.
        KeyboardInterrupt: on Ctrl-C; the run can be gone on with.
    """
    config = session.config
    torch.set_num_threads(config.effort.threads)
    budgets, near_budget = calibrate_near_budget(
        session.space,
        _budgets(session, predictors),
        session.devices,
        session.store,
        count=config.near_budget,
        classes=len(config.classes),
        seed=config.seed,
        on_progress=session.on_progress,
    )
    write_near_budget(session.folder.near_budget, near_budget)
    evaluator = _evaluator(session)
    settings = SearchSettings(
        trials=config.trials, winners=config.winners, classes=len(config.classes), seed=config.seed
    )
    finalists = Finalists(
        session.folder, session.space, evaluator.network, session.devices, session.store, seed=config.seed
    )
    with TrialStore(session.folder.trials) as trials:
        feed_back = RejectionFeedback(session.space, len(config.classes), budgets)
        budgets = feed_back.replay(trials)
        result = run_search(
            session.space,
            budgets,
            evaluator,
            make_strategy(config.strategy, session.space, budgets, seed=config.seed, population=settings.population),
            trials,
            settings,
            measure=finalists.measure,
            certify=finalists.holds,
            feed_back=feed_back,
            on_progress=session.on_progress,
        )
    return replace(result, near_budget=near_budget)


def _budgets(session: RunContext, predictors: Mapping[str, BoundedPredictor]) -> Budgets:
    latencies = (LatencyBudget(t.device, t.maximum_ms, predictors[t.device]) for t in session.config.targets)
    return Budgets(ParameterBudget(session.config.max_parameters), tuple(latencies))


def _evaluator(session: RunContext) -> SupernetEvaluator:
    effort = session.config.effort
    teacher_size = session.teacher_size if effort.teacher_epochs else None
    training = SupernetSettings(
        steps=effort.supernet_steps,
        batch_size=effort.batch_size,
        teacher_size=teacher_size,
        seed=session.config.seed,
    )
    settings = SupernetEvaluation(
        pool=48,
        random_nets=1,
        calibration_images=effort.evaluation_images,
        validation_images=effort.evaluation_images,
        training=training,
    )
    return SupernetEvaluator(
        session.space,
        session.source,
        settings,
        teacher=lambda: session.teacher,
        checkpoint=session.folder.supernet,
    )
