"""The contract of a search space."""

from __future__ import annotations

from abc import ABC, abstractmethod
from random import Random

from latency.operators.operator import OperatorGraph
from search.architecture import Architecture
from segmentation.networks.plan import Plan


class SearchSpace(ABC):
    """A set of architectures, how to move in it, and what each one is.

    Every implementation passes ``latseg/testing/space_contract.py``: samples are valid and canonical (equal nets are
    equal architectures), moves stay inside the space, ``lower`` equals ``from_onnx`` of the exported net.
    """

    name: str

    @abstractmethod
    def size(self) -> int:
        """Number of different architectures (a lower bound where an exact count is out of reach)."""

    @abstractmethod
    def sample(self, count: int, rng: Random) -> list[Architecture]:
        """Random architectures, stratified over total depth: shallow and deep nets are equally frequent."""

    @abstractmethod
    def mutate(self, architecture: Architecture, rng: Random) -> Architecture:
        """A neighbour: a few slots chosen anew."""

    @abstractmethod
    def crossover(self, first: Architecture, second: Architecture, rng: Random) -> Architecture:
        """A child of both."""

    @abstractmethod
    def smaller(self, architecture: Architecture) -> list[Architecture]:
        """Neighbours with one slot moved to a cheaper choice: the moves of a repair. Empty at the smallest nets."""

    @abstractmethod
    def smallest(self) -> list[Architecture]:
        """Nets among which the cheapest in any budgeted quantity is to be found."""

    @abstractmethod
    def validate(self, architecture: Architecture) -> None:
        """Raises ``UserError`` where the architecture is not a canonical member of the space."""

    @abstractmethod
    def plan(self, architecture: Architecture, *, classes: int = 2) -> Plan:
        """The net's layers."""

    @abstractmethod
    def input_size(self, architecture: Architecture) -> tuple[int, int]:
        """Height and width of the net's input."""

    @abstractmethod
    def lower(self, architecture: Architecture, *, classes: int = 2) -> OperatorGraph:
        """The operator graph, without ONNX, in well under a millisecond."""
