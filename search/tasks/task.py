"""The contract of a task: how architectures are built, trained, evaluated and described."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from foundation.progress import OnProgress, ignore_progress
from search.architecture import Architecture
from search.options import DataOptions, TrainingOptions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

Split = Literal["train", "validation", "test"]


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """What a task is made from; a task ignores what does not concern it."""

    data: DataOptions
    training: TrainingOptions = field(default_factory=TrainingOptions)
    seed: int = 0
    folder: Path | None = None
    """Where the task keeps what its trainings share, such as a teacher; None keeps nothing."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Scores on one split of the data."""

    metrics: Mapping[str, float]
    """By name; each from 0 (useless) to 1 (perfect)."""
    main: str
    """Name of the metric by which architectures are compared."""
    examples: int
    """Number of examples that were evaluated."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """More than the metrics, as plain JSON values; may be empty."""

    @property
    def value(self) -> float:
        """The main metric."""
        return self.metrics[self.main]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON object."""
        return {**self.metrics, **self.details}


@dataclass(frozen=True, slots=True)
class Trained:
    """The result of a full training."""

    module: nn.Module
    """With the trained weights, in evaluation mode."""
    quality: Quality
    """On the validation split."""
    epochs: int
    seconds: float
    notes: tuple[str, ...] = ()
    """What a user should know of the training: a sentence each."""


class Task(ABC):
    """What the architectures of a space are for.

    Every implementation passes ``latseg.testing.task_contract``. Opening a task is cheap; data are read at first use.
    """

    @property
    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the outputs.

        Raises:
            UserError: the data cannot be read.
        """

    @property
    @abstractmethod
    def data(self) -> str:
        """Text that opens the same data again.

        Raises:
            UserError: the data cannot be read.
        """

    @property
    def data_fingerprint(self) -> str:
        """Other wherever the examples, their split or their reading are others; empty where the task cannot tell.

        Raises:
            UserError: the data cannot be read.
        """
        return ""

    @property
    @abstractmethod
    def training_examples(self) -> int:
        """Number of examples in the training split.

        Raises:
            UserError: the data cannot be read.
        """

    @property
    def fingerprint(self) -> str:
        """Equal where the data are, and what teaches besides them; by default made of their text and number.

        Raises:
            UserError: the data cannot be read.
        """
        return f"{self.data}, {self.training_examples} training examples"

    @property
    def data_notes(self) -> tuple[str, ...]:
        """How the data are read and what of them is left out, for people: a sentence each.

        Raises:
            UserError: the data cannot be read.
        """
        return ()

    @abstractmethod
    def build(self, architecture: Architecture) -> nn.Module:
        """The net with fresh weights. Its parameters are as many as the space says."""

    @abstractmethod
    def example_inputs(self, architecture: Architecture) -> Mapping[str, Tensor]:
        """One example of each input by its name, in the order in which ``build``'s module takes them."""

    @abstractmethod
    def train(
        self,
        architecture: Architecture,
        *,
        checkpoint: Path,
        epochs: int | None = None,
        short: bool = False,
        on_progress: OnProgress = ignore_progress,
    ) -> Trained:
        """Trains in full, with a teacher where the task has one.

        Continues from ``checkpoint`` where that exists; returns at once where it was finished. Equal seeds give equal
        results.

        Args:
            architecture: to train.
            checkpoint: file that is written after every epoch; of many short ones after every hundredth part.
            epochs: passes over the data; None for those of the training options.
            short: the training only compares architectures, so what is the same for all may be left out: what they
                learn before the data, a teacher that runs in every step.
            on_progress: called after each step.

        Raises:
            UserError: the checkpoint belongs to another training, or the data cannot be read.
            KeyboardInterrupt: on Ctrl-C, after the checkpoint was written.
        """

    @abstractmethod
    def load(self, architecture: Architecture, checkpoint: Path) -> nn.Module:
        """The net with the weights of a finished training, in evaluation mode.

        Raises:
            UserError: missing, damaged, of another net, or not finished.
        """

    @abstractmethod
    def evaluate(
        self, architecture: Architecture, module: nn.Module, *, split: Split = "validation", limit: int | None = None
    ) -> Quality:
        """Scores of ``module`` on a split, or on its first ``limit`` examples."""

    def compare_teacher(self, on_progress: OnProgress = ignore_progress) -> tuple[str, ...]:  # noqa: ARG002
        """Compares a teacher that the user brought with the labels; sentences about it, for people.

        Called before anything is trained. Empty where the user brought none, or the task has no use for one.

        Raises:
            UserError: it cannot be run, or it does not know the classes of the data.
        """
        return ()

    def pictures(self) -> Sequence[NDArray[np.uint8]]:
        """A few pictures of the data (height x width x 3), on which exported files are compared with torch.

        Empty where the input is not one picture.
        """
        return ()

    def first_look(self, *, photographs: bool = True) -> bytes | None:  # noqa: ARG002 - there is nothing to show
        """A PNG of a few labelled examples, on which a person sees whether the data are read as they were meant.

        None where the examples are no pictures. Without ``photographs`` it shows labels alone.
        """
        return None

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What a user of an exported model must know, as plain JSON values; ``task`` is its name.

        Of a task on pictures also the fields of ``export.source.Pictures``.
        """
