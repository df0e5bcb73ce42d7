"""Starts a run's search, or goes on with it. Importing this module loads torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch

from devices.measurement import FailedMeasurement, Measurement
from latency.bounded import BoundedPredictor
from search.budgets import Budgets, LatencyBudget, ParameterBudget
from search.finalists import Finalists
from search.runner import SearchResult, run_search
from search.session import Session
from search.settings import SearchSettings
from search.strategies import make_strategy
from search.supernet_evaluator import SupernetEvaluation, SupernetEvaluator
from search.trial import REJECTED
from search.trials import TrialStore
from search.winners import FeedBack
from segmentation.architecture import Architecture
from segmentation.supernet_training import SupernetSettings


def launch(session: Session, predictors: Mapping[str, BoundedPredictor]) -> SearchResult:
    """Searches under the run's budgets; winners are exported, measured, and certified or rejected.

    Args:
        session: the run; what it has done already is not done again.
        predictors: by the name of the budget's device.

    Raises:
        InfeasibleError: no net keeps the budgets; raised before anything is trained.
        UserError, DataError: as the parts say.
        KeyboardInterrupt: on Ctrl-C; the run can be gone on with.
    """
    config = session.config
    torch.set_num_threads(config.effort.threads)
    budgets = _budgets(session, predictors)
    evaluator = _evaluator(session)
    settings = SearchSettings(
        trials=config.trials, winners=config.winners, classes=len(config.classes), seed=config.seed
    )
    finalists = Finalists(
        session.folder, session.space, evaluator.network, session.devices, session.store, seed=config.seed
    )
    with TrialStore(session.folder.trials) as trials:
        budgets = _with_earlier_rejections(session, budgets, trials)
        return run_search(
            session.space,
            budgets,
            evaluator,
            make_strategy(config.strategy, session.space, budgets, seed=config.seed, population=settings.population),
            trials,
            settings,
            measure=finalists.measure,
            certify=finalists.holds,
            feed_back=_feed_back(session, budgets),
            on_progress=session.on_progress,
        )


def _budgets(session: Session, predictors: Mapping[str, BoundedPredictor]) -> Budgets:
    latencies = (LatencyBudget(t.device, t.maximum_ms, predictors[t.device]) for t in session.config.targets)
    return Budgets(ParameterBudget(session.config.max_parameters), tuple(latencies))


def _evaluator(session: Session) -> SupernetEvaluator:
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


def _feed_back(session: Session, budgets: Budgets) -> FeedBack:
    """Widens the bound of a device by what its rejected winners took beyond their prediction."""
    current = budgets

    def feed_back(
        architecture: Architecture, measurements: Mapping[str, Measurement | FailedMeasurement]
    ) -> Budgets | None:
        nonlocal current
        found = {name: m.latency_ms for name, m in measurements.items() if isinstance(m, Measurement)}
        current = _widened(session, current, architecture, found)
        return current

    return feed_back


def _with_earlier_rejections(session: Session, budgets: Budgets, trials: TrialStore) -> Budgets:
    """The budgets as they were when the search was interrupted: what its rejected winners taught is taught again."""
    known = {trial.id: trial for trial in trials.trials()}
    for trial in (known[identity] for identity in trials.measured()):
        if trial.status == REJECTED:
            budgets = _widened(session, budgets, trial.architecture, trial.measured_ms)
    return budgets


def _widened(
    session: Session, budgets: Budgets, architecture: Architecture, measured_ms: Mapping[str, float]
) -> Budgets:
    graph = session.space.lower(architecture, classes=len(session.config.classes))
    latencies = []
    for budget in budgets.latencies:
        found, predictor = measured_ms.get(budget.device), budget.predictor
        if found is not None and isinstance(predictor, BoundedPredictor):
            ratio = found / predictor.predict([graph])[0].latency_ms
            budget = replace(budget, predictor=predictor.recalibrated([ratio]))  # noqa: PLW2901
        latencies.append(budget)
    return replace(budgets, latencies=tuple(latencies))
