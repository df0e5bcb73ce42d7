"""Quality by a short training of each architecture, for any space and task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field
from typing_extensions import override

from foundation.plugin_options import PluginOptions
from foundation.progress import OnProgress, ignore_progress
from search.architecture import Architecture
from search.constraints.feasible_sampler import FeasibleSampler
from search.evaluators.trainer import TrainsCandidates, checkpoint
from search.spaces.space import SearchSpace
from search.tasks.task import Task

if TYPE_CHECKING:
    from torch import nn


class TrainingEvaluator(TrainsCandidates):
    """The main metric of the task after a few epochs.

    Args:
        space: of the architectures.
        task: trains and evaluates them.
        folder: of the run; the checkpoints are kept in ``evaluations/``.
        seed: not used: the task has its own.
        epochs: of each training.
    """

    name = "training"

    class Options(PluginOptions):
        """Options of the evaluator."""

        epochs: Annotated[int, Field(ge=1)] = 2

    def __init__(self, space: SearchSpace, task: Task, *, folder: Path, seed: int = 0, epochs: int = 2) -> None:
        super().__init__(space, task, folder=folder, seed=seed)
        self.epochs = epochs

    @override
    def prepare(self, sampler: FeasibleSampler, on_progress: OnProgress = ignore_progress) -> None:
        # Every architecture is trained on its own; nothing is shared.
        return

    @override
    def quality(self, architectures: Sequence[Architecture]) -> list[float]:
        return list(self.qualities(architectures))

    @override
    def qualities(self, architectures: Sequence[Architecture]) -> Iterator[float]:
        yield from self.trainer.qualities(architectures, epochs=self.epochs)

    @override
    def weights(self, architecture: Architecture) -> nn.Module | None:
        path = checkpoint(self.folder, architecture)
        return self.task.load(architecture, path) if path.exists() else None
