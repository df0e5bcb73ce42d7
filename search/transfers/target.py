"""Another task for the nets of a run: other data, and the form that a net takes for them.

Importing this module loads torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, Self, cast

from torch import Tensor, nn

from foundation.errors import UserError
from latency.operators.operator import OperatorGraph
from search.architecture import Architecture
from search.options import DataOptions
from search.run_context import RunContext
from search.spaces.plan_space import PlanSpace
from search.tasks.classification import ClassificationTask, EncoderNets
from search.tasks.first_lessons import Nets
from search.tasks.segmentation import SegmentationTask
from search.tasks.task import TaskOptions
from segmentation.data.classified.registry import is_classified, open_classified
from segmentation.data.registry import open_source
from segmentation.data.source import DataSource
from segmentation.networks.starting_weights import without_head
from segmentation.pretrained.weights import take_fitting


class TargetNets(Nets, Protocol):
    """Nets for the other task."""

    def parameters(self, architecture: Architecture) -> int:
        """Number of trainable parameters."""

    def lower(self, architecture: Architecture) -> OperatorGraph:
        """The operator graph."""


@dataclass(frozen=True, slots=True)
class StartedNets:
    """Nets that begin with given weights where these fit."""

    nets: Nets
    weights: Mapping[str, Tensor]

    def build(self, architecture: Architecture) -> nn.Module:
        """The net; what does not fit is fresh."""
        network = self.nets.build(architecture)
        take_fitting(network, self.weights)
        return network

    def for_classes(self, classes: int) -> Self:
        """The same for another number of classes."""
        return replace(self, nets=self.nets.for_classes(classes))

    def input_size(self, architecture: Architecture) -> tuple[int, int]:
        """Height and width of the net's input."""
        return self.nets.input_size(architecture)


@dataclass(frozen=True, slots=True)
class Target:
    """The other task."""

    source: DataSource
    classified: bool
    """Whether a picture as a whole has one class."""
    nets: TargetNets

    @property
    def name(self) -> str:
        """``segmentation`` or ``classification``."""
        return "classification" if self.classified else "segmentation"

    def task(self, options: TaskOptions, weights: Mapping[str, Tensor] | None) -> SegmentationTask:
        """The task whose nets begin with ``weights``, or with random ones: not with any that ship."""
        nets = StartedNets(self.nets, weights or {})
        return (ClassificationTask if self.classified else SegmentationTask)(nets, options, self.source)

    def fitting(self, trained: nn.Module, architecture: Architecture, classes: tuple[str, ...]) -> Mapping[str, Tensor]:
        """What the net for this task takes of one that was trained for ``classes``: its head only for equal classes."""
        weights: dict[str, Tensor] = trained.state_dict()
        if not self.classified and self.source.classes == classes:
            return weights
        larger = self.nets.for_classes(len(self.source.classes) + 1)
        return without_head(weights, self.nets.build(architecture), larger.build(architecture))


def open_target(context: RunContext, data: DataOptions, seed: int, architecture: Architecture) -> Target:
    """Opens the data, and the form of a net of the run for them.

    Raises:
        UserError: the data cannot be opened, a run of another task than segmentation, or classified pictures for a net
            whose plan does not say where its encoder ends.
    """
    if not isinstance(context.task, SegmentationTask):
        raise UserError(
            f"run {context.config.run}", seen="a task of a plug-in", expected="segmentation",
            remedy="train its nets for other tasks with your own script",
        )  # fmt: skip
    classified = is_classified(data.source)
    opened = open_classified if classified else open_source
    source = opened(data.source, seed=seed, **data.model_dump(exclude={"source"}))
    # The task of the run is segmentation, so its space has the methods of such nets.
    nets = _encoder_nets(context, architecture) if classified else cast("TargetNets", context.space)
    return Target(source, classified, nets.for_classes(len(source.classes)))


def _encoder_nets(context: RunContext, architecture: Architecture) -> TargetNets:
    if not isinstance(context.space, PlanSpace) or not context.space.plan(architecture).encoder:
        raise UserError(
            f"classified pictures for run {context.config.run}",
            seen=f"{context.space.name}, which does not say where its encoder ends",
            expected="a net of a space whose plans name their encoders", remedy="take data with masks",
        )  # fmt: skip
    return EncoderNets(context.space, len(context.config.classes))
