"""The contract of a space whose nets are plans: lists of layers, from which a supernet can be built."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING

from typing_extensions import override

from latency.operators.operator import OperatorGraph
from search.architecture import Architecture
from search.spaces.lowering import lower
from search.spaces.space import SearchSpace
from search.tasks.task import Task, TaskOptions
from segmentation.networks.plan import Plan

if TYPE_CHECKING:
    from torch import nn


class PlanSpace(SearchSpace):
    """A space of segmentation nets. Size, operator graph and task follow from the plan."""

    @abstractmethod
    def plan(self, architecture: Architecture) -> Plan:
        """The net's layers, with ``classes`` channels of logits."""

    @abstractmethod
    def input_size(self, architecture: Architecture) -> tuple[int, int]:
        """Height and width of the net's input."""

    @abstractmethod
    def widest(self) -> Iterable[Plan]:
        """Plans that contain, between them, every layer of the space at its largest: the weights of a supernet."""

    def build(self, architecture: Architecture) -> nn.Module:
        """The net with fresh weights."""
        from segmentation.networks.network import Network

        return Network(self.plan(architecture))

    @override
    def parameters(self, architecture: Architecture) -> int:
        return self.plan(architecture).parameters()

    @override
    def lower(self, architecture: Architecture) -> OperatorGraph:
        return lower(self.plan(architecture), *self.input_size(architecture))

    @override
    def make_task(self, options: TaskOptions) -> Task:
        from search.tasks.segmentation import SegmentationTask

        return SegmentationTask(self, options)
