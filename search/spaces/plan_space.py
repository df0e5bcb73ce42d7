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

    from segmentation.pretrained.weights import Name
    from segmentation.supernet.supernet import Supernet


class PlanSpace(SearchSpace):
    """A space of segmentation nets. Size, operator graph and task follow from the plan."""

    @property
    def shipped_weights(self) -> Name | None:
        """Which weights of the package its nets begin with, if any."""
        return None

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

    def pretrained(self, architecture: Architecture) -> nn.Module:
        """The net with those of its weights that ship; the others are fresh."""
        from segmentation.networks.network import Network
        from segmentation.pretrained.encoder import start_encoder
        from segmentation.pretrained.weights import SMALL_ENCODER, SUPERNET

        if self.shipped_weights == SUPERNET:
            return self.supernet(pretrained=True).extract(self.plan(architecture))
        network = self.build(architecture)
        if self.shipped_weights == SMALL_ENCODER and isinstance(network, Network):
            start_encoder(network)
        return network

    def supernet(self, *, pretrained: bool) -> Supernet:
        """Weights that all nets of the space share.

        Args:
            pretrained: begin with those that ship, where there are some.
        """
        from segmentation.pretrained.encoder import start_shared_encoder
        from segmentation.pretrained.supernet import start_supernet
        from segmentation.pretrained.weights import SMALL_ENCODER, SUPERNET
        from segmentation.supernet.supernet import Supernet

        supernet = Supernet(self.classes, self.widest())
        if pretrained and self.shipped_weights == SUPERNET:
            start_supernet(supernet)
        if pretrained and self.shipped_weights == SMALL_ENCODER:
            start_shared_encoder(supernet)
        return supernet

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
