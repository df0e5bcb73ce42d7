"""Quality by a short training of each architecture, for any space and task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field
from typing_extensions import override

from foundation.plugin_options import PluginOptions
from foundation.progress import OnProgress, ignore_progress
from search.architecture import Architecture
from search.constraints.feasible_sampler import FeasibleSampler
from search.evaluators.evaluator import Evaluator
from search.spaces.space import SearchSpace
from search.tasks.task import Task

if TYPE_CHECKING:
    from torch import nn


class TrainingEvaluator(Evaluator):
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
        return [
            self.task.train(one, checkpoint=self._checkpoint(one), epochs=self.epochs, short=True).quality.value
            for one in architectures
        ]

    @override
    def weights(self, architecture: Architecture) -> nn.Module | None:
        checkpoint = self._checkpoint(architecture)
        return self.task.load(architecture, checkpoint) if checkpoint.exists() else None

    def _checkpoint(self, architecture: Architecture) -> Path:
        return self.folder / "evaluations" / f"{architecture.id}.safetensors"
