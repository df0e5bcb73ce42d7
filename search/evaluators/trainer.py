"""How candidates are trained for a short time: here, one after the other, or by what a search was given for that."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

from foundation.progress import OnProgress, ignore_progress
from search.architecture import Architecture
from search.evaluators.evaluator import Evaluator
from search.spaces.space import SearchSpace

if TYPE_CHECKING:
    from search.tasks.task import Task


class Trainer(ABC):
    """Trains candidates by ``Task.train(..., short=True)``, each on its own."""

    @abstractmethod
    def qualities(
        self, architectures: Sequence[Architecture], *, epochs: int, on_progress: OnProgress = ignore_progress
    ) -> Iterator[float]:
        """Main metric of the task after so many epochs, in the order given, each as soon as it is known.

        Raises:
            UserError: as ``Task.train``.
        """


class TrainerHere(Trainer):
    """Trains in this process.

    Args:
        task: of the candidates.
        folder: of the run; ``checkpoint`` says where the weights of each candidate are kept.
    """

    def __init__(self, task: Task, folder: Path) -> None:
        self._task = task
        self._folder = folder

    @override
    def qualities(
        self, architectures: Sequence[Architecture], *, epochs: int, on_progress: OnProgress = ignore_progress
    ) -> Iterator[float]:
        for one in architectures:
            path = checkpoint(self._folder, one)
            trained = self._task.train(one, checkpoint=path, epochs=epochs, short=True, on_progress=on_progress)
            yield trained.quality.value


class TrainsCandidates(Evaluator):
    """An evaluator whose candidates are trained each on its own, by a ``trainer`` that may be exchanged."""

    def __init__(self, space: SearchSpace, task: Task, *, folder: Path, seed: int = 0) -> None:
        super().__init__(space, task, folder=folder, seed=seed)
        self.trainer: Trainer = TrainerHere(task, folder)


def checkpoint(run_folder: Path, architecture: Architecture) -> Path:
    """Where the weights of a candidate's short training are kept."""
    return run_folder / "evaluations" / f"{architecture.id}.safetensors"
