"""Evaluators by name."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.registry import Registry

if TYPE_CHECKING:
    from search.evaluators.evaluator import Evaluator
    from search.spaces.space import SearchSpace
    from search.tasks.task import Task

_logger = logging.getLogger(__name__)

PRETRAINED = "pretrained"
EVALUATORS: Registry[Evaluator] = Registry(
    kind="evaluator",
    group="latseg.evaluators",
    base="search.evaluators.evaluator:Evaluator",
    builtin={
        PRETRAINED: "search.evaluators.pretrained:PretrainedEvaluator",
        "regression": "search.evaluators.regression:RegressionEvaluator",
        "supernet": "search.evaluators.supernet:SupernetEvaluator",
        "training": "search.evaluators.training:TrainingEvaluator",
    },
)


def default_evaluator(space: SearchSpace) -> str:
    """The evaluator of new searches; ``benchmarks/ranking.py`` compares them."""
    from search.spaces.plan_space import PlanSpace

    if space.trained_nets() is not None:
        return PRETRAINED
    return "regression" if isinstance(space, PlanSpace) else "training"


def make_evaluator(text: str | None, space: SearchSpace, task: Task, *, folder: Path, seed: int = 0) -> Evaluator:
    """The evaluator that ``NAME[:KEY=VALUE,...]`` names.

    None is a run of a version that did not write the name down: the supernet, or training for spaces without plans.

    Raises:
        UserError: no such evaluator or option, or the space does not have what it needs.
    """
    from search.spaces.plan_space import PlanSpace

    evaluator, options = EVALUATORS.parse(text or ("supernet" if isinstance(space, PlanSpace) else "training"))
    _logger.info("evaluator %s for space %s", evaluator.name, space.name)
    return evaluator(space, task, folder=folder, seed=seed, **options)
