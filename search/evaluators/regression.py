"""Quality by regression: some nets are trained for a short time, all others are predicted from their operators.

As Wen et al., "Neural Predictor for Neural Architecture Search" (arXiv 1912.00848), with a Gaussian process in the
place of a graph network: it needs no more than some dozens of nets.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Annotated

from pydantic import Field
from typing_extensions import override

from foundation.errors import UserError
from foundation.plugin_options import PluginOptions
from foundation.progress import OnProgress, Progress, ignore_progress
from search.architecture import Architecture
from search.constraints.feasible_sampler import FeasibleSampler
from search.evaluators.evaluator import Preparation
from search.evaluators.quality_regression import QualityRegression, shares
from search.evaluators.short_trainings import FILE_NAME, ShortTrainings, read_short_trainings, write_short_trainings
from search.evaluators.trainer import TrainsCandidates, checkpoint
from search.progress import SearchProgress
from search.spaces.space import SearchSpace
from search.tasks.task import Task

if TYPE_CHECKING:
    from torch import nn

_logger = logging.getLogger(__name__)

_SAMPLED = 20
"""Feasible nets that are sampled for each one that is trained."""


class RegressionEvaluator(TrainsCandidates):
    """What the main metric of the task after a short training is expected to be.

    Args:
        space: of the architectures.
        task: trains and evaluates them.
        folder: of the run; what the nets reached is kept in ``short_trainings.json``, the checkpoint of an interrupted
            training in ``evaluations/``. A preparation continues there.
        seed: of the nets that are trained.
        **options: as in ``Options``.

    Raises:
        UserError: fewer nets keep the budgets than a regression needs.
    """

    name = "regression"
    preparation = Preparation(
        files=(FILE_NAME,), training=("batch_size", "evaluation_images", "pretrained", "teacher", "unlabelled")
    )

    class Options(PluginOptions):
        """How many nets are trained, and for how long."""

        nets: Annotated[int, Field(ge=4)] = 32
        examples: Annotated[int, Field(ge=1)] = 1000
        """That each training sees, repeated ones counted anew; at least one epoch."""

    def __init__(self, space: SearchSpace, task: Task, *, folder: Path, seed: int = 0, **options: int) -> None:
        super().__init__(space, task, folder=folder, seed=seed)
        self.options = self.Options.model_validate(options)
        self._regression: QualityRegression | None = None

    @override
    def prepare(self, sampler: FeasibleSampler, on_progress: OnProgress = ignore_progress) -> None:
        trainings = read_short_trainings(self.folder)
        if trainings is None:
            trainings = ShortTrainings(nets=tuple(net.to_json() for net in self._spread(sampler)))
            write_short_trainings(self.folder, trainings)
        trainings = self._finished(trainings, on_progress)
        graphs = [self.space.lower(net) for net in trainings.architectures]
        self._regression = QualityRegression(graphs, trainings.qualities)

    @override
    def quality(self, architectures: Sequence[Architecture]) -> list[float]:
        assert self._regression is not None, "prepare comes first"
        if not architectures:
            return []
        return shares(self._regression.predict([self.space.lower(one) for one in architectures])[0])

    @override
    def qualities(self, architectures: Sequence[Architecture]) -> Iterator[float]:
        yield from self.quality(architectures)

    @override
    def weights(self, architecture: Architecture) -> nn.Module | None:
        # Most nets were never trained; those that were are exported with fresh weights, too.
        return None

    def _spread(self, sampler: FeasibleSampler) -> list[Architecture]:
        """Feasible nets, equally far apart in the order of their FLOPs."""
        found = sampler(_SAMPLED * self.options.nets, Random(f"{self.seed}/regression"))
        found.sort(key=lambda one: self.space.lower(one).flops)
        count = min(self.options.nets, len(found))
        if count < 4:
            raise UserError(
                "nets to train", seen=count, expected="at least 4 within the budgets", remedy="raise the budgets"
            )
        return [found[round(place * (len(found) - 1) / (count - 1))] for place in range(count)]

    def _finished(self, trainings: ShortTrainings, on_progress: OnProgress) -> ShortTrainings:
        """With the nets that were not trained yet; a checkpoint is not kept longer than its training."""
        epochs = max(1, round(self.options.examples / self.task.training_examples))

        def report(training: Progress | None = None) -> None:
            best = f"best {max(trainings.qualities):.3f}" if trainings.qualities else ""
            done, total = len(trainings.qualities), len(trainings.nets)
            on_progress(SearchProgress("short trainings", done, total, best, training=training))

        left = trainings.architectures[len(trainings.qualities) :]
        qualities = self.trainer.qualities(left, epochs=epochs, on_progress=report)
        for net in left:
            report()
            quality = next(qualities)
            trainings = trainings.with_quality(quality)
            write_short_trainings(self.folder, trainings)
            checkpoint(self.folder, net).unlink(missing_ok=True)
            _logger.debug("%s reaches %.4f after %d epochs", net.id, quality, epochs)
        return trainings
