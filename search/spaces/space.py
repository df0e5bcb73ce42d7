"""The contract of a search space."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, ClassVar, Self

from latency.operators.operator import OperatorGraph
from search.architecture import Architecture
from search.spaces.trained_nets import TrainedNets

if TYPE_CHECKING:
    from search.tasks.task import Task, TaskOptions


@dataclass(frozen=True, slots=True)
class Slot:
    """One decision of an architecture: an integer from 0 to ``choices - 1``."""

    name: str
    choices: int
    ordered: bool = False
    """Whether neighbouring choices are similar, as widths and depths are; a sampler may then interpolate."""
    labels: tuple[str, ...] = ()
    """What each choice means; empty where the integers speak for themselves."""
    optional: bool = False
    """Whether choice 0 is nothing: no block, no skip, no context."""


class SearchSpace(ABC):
    """A set of architectures, the moves between them, and what each one is.

    Every implementation passes ``latseg.testing.space_contract``: samples are valid and canonical (equal nets are equal
    architectures), moves stay inside the space, ``lower`` equals ``from_onnx`` of the exported net. A space
    with options names a ``foundation.plugin_options.PluginOptions`` model in ``Options`` and takes them as keyword
    arguments.

    Args:
        classes: number of outputs that tell the classes of the task apart.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    """Goes up when equal architectures become other networks; a run of another version is refused."""

    def __init__(self, classes: int = 2) -> None:
        self.classes = classes

    def for_classes(self, classes: int) -> Self:
        """The same space for another number of classes."""
        other = copy(self)
        other.classes = classes
        return other

    @property
    @abstractmethod
    def slots(self) -> tuple[Slot, ...]:
        """The decisions, in the order of ``Architecture.choices``."""

    @abstractmethod
    def size(self) -> int:
        """Number of different architectures (a lower bound where an exact count is out of reach)."""

    @abstractmethod
    def sample(self, count: int, rng: Random) -> list[Architecture]:
        """Random architectures, stratified over total depth: shallow and deep nets are equally frequent."""

    @abstractmethod
    def nearest(self, choices: Mapping[str, int]) -> Architecture:
        """The canonical architecture that these choices name, for samplers that know nothing but ``slots``.

        Choices without effect are dropped, and those that the space or its options exclude become the nearest one.

        Args:
            choices: one for every slot, from 0 to its number of choices less one.
        """

    @abstractmethod
    def mutate(self, architecture: Architecture, rng: Random) -> Architecture:
        """A neighbour: a few slots sampled again."""

    @abstractmethod
    def crossover(self, first: Architecture, second: Architecture, rng: Random) -> Architecture:
        """A child of both."""

    @abstractmethod
    def smaller(self, architecture: Architecture) -> list[Architecture]:
        """Neighbours with one slot moved to a cheaper choice: the moves of a repair. Empty at the smallest nets."""

    def some_smaller(self, architecture: Architecture, count: int, rng: Random) -> list[Architecture]:
        """At most ``count`` of ``smaller``, sampled; none only where that is empty.

        A space in which each neighbour takes long to make overrides this.
        """
        neighbours = self.smaller(architecture)
        return rng.sample(neighbours, min(count, len(neighbours)))

    @abstractmethod
    def smallest(self) -> list[Architecture]:
        """Nets that contain, for every budgeted quantity, the cheapest net of the space."""

    @abstractmethod
    def validate(self, architecture: Architecture) -> None:
        """Raises ``UserError`` where the architecture is not a canonical member of the space."""

    @abstractmethod
    def parameters(self, architecture: Architecture) -> int:
        """Number of trainable parameters."""

    @abstractmethod
    def lower(self, architecture: Architecture) -> OperatorGraph:
        """The operator graph, without ONNX, in well under a millisecond."""

    def parse(self, text: str) -> Architecture:
        """The architecture of a text: by default of its JSON; a space may have a form of its own beside it.

        Raises:
            UserError: neither form, or not a canonical member of the space.
        """
        architecture = Architecture.from_json(text)
        self.validate(architecture)
        return architecture

    def text(self, architecture: Architecture) -> str:
        """What ``parse`` reads, as short as the space has it."""
        return architecture.to_json()

    def trained_nets(self) -> TrainedNets | None:
        """Nets of the space that were all trained alike before any search; None where there are none.

        The evaluator ``pretrained`` compares others by them.
        """
        return None

    @abstractmethod
    def make_task(self, options: TaskOptions) -> Task:
        """What the architectures of this space are trained for, on the data that ``options`` names.

        ``Task.classes`` follows from the data and not from ``self.classes``: a new run opens the space once without
        knowing the classes and asks the task.

        Raises:
            UserError: the data cannot be opened.
        """
