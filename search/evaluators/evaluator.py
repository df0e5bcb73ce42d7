"""The contract of an evaluator: how good is an architecture, before it is trained in full."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from foundation.progress import OnProgress, ignore_progress
from search.architecture import Architecture
from search.constraints.feasible_sampler import FeasibleSampler
from search.spaces.space import SearchSpace

if TYPE_CHECKING:
    from torch import nn

    from search.tasks.task import Task


@dataclass(frozen=True, slots=True)
class Preparation:
    """What the ``prepare`` of an evaluator leaves, which other runs can use in the place of their own."""

    files: tuple[str, ...]
    """Names in the evaluator's folder. With copies of them ``prepare`` has nothing to train."""
    training: tuple[str, ...]
    """Fields of ``search.options.TrainingOptions`` on which they depend."""


class Evaluator(ABC):
    """Estimates quality. It only ever receives architectures that keep every budget.

    Every implementation passes ``latseg.testing.evaluator_contract``. An evaluator with options names a
    ``foundation.plugin_options.PluginOptions`` model in ``Options`` and takes them as keyword arguments.

    Args:
        space: of the architectures.
        task: what they are for.
        folder: of the run; the evaluator may keep files of its own in it.
        seed: of everything random.
    """

    name: ClassVar[str]
    usual_trials: ClassVar[int] = 200
    """Architectures that a search evaluates unless told otherwise: more where an estimate takes no time."""
    preparation: ClassVar[Preparation | None] = None
    """None where nothing is prepared that another run could use."""

    def __init__(self, space: SearchSpace, task: Task, *, folder: Path, seed: int = 0) -> None:
        self.space = space
        self.task = task
        self.folder = folder
        self.seed = seed

    @abstractmethod
    def prepare(self, sampler: FeasibleSampler, on_progress: OnProgress = ignore_progress) -> None:
        """Does what must be done once before the first estimate, such as training a supernet.

        Called again after an interruption: it continues where it stopped, and does nothing where it was finished.

        Args:
            sampler: samples architectures that keep the budgets; no others need to be prepared for.
            on_progress: called after each step.
        """

    @abstractmethod
    def quality(self, architectures: Sequence[Architecture]) -> list[float]:
        """Estimates in the order given, from 0 (useless) to 1 (perfect); equal for equal architectures."""

    def qualities(self, architectures: Sequence[Architecture]) -> Iterator[float]:
        """As ``quality``, each as soon as it is known, in the order given.

        A search passes a whole generation and stores every estimate at once. One that is faster, or can go on
        elsewhere, when it has several architectures at a time overrides this.
        """
        for architecture in architectures:
            yield self.quality([architecture])[0]

    @abstractmethod
    def weights(self, architecture: Architecture) -> nn.Module | None:
        """The net with the weights that its estimate was made with, which is exported before full training.

        None where there are none: then a net with fresh weights is exported, whose latency is the same.
        """
