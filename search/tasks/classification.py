"""Classification of whole pictures by the encoders of segmentation nets. Importing this module loads torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from torch import nn
from typing_extensions import override

from foundation.progress import OnProgress, Progress, ignore_progress
from latency.operators.operator import OperatorGraph
from search.architecture import Architecture
from search.progress import SearchProgress
from search.spaces.lowering import lower
from search.spaces.plan_space import PlanSpace
from search.tasks.first_lessons import Nets
from search.tasks.segmentation import SegmentationTask
from search.tasks.task import Quality, TaskOptions, Trained
from segmentation.data.source import DataSource
from segmentation.metrics import Quality as Scores
from segmentation.networks.classifier import classifier_plan
from segmentation.networks.network import Network
from segmentation.networks.plan import Plan
from segmentation.training.settings import TrainSettings

_WITHOUT_MASKS = {"teacher": None, "unlabelled": None, "teacher_epochs": 0, "scene_steps": 0}
"""Teachers and scenes have masks."""


class EncoderNets:
    """The encoders of a space's nets with a linear layer behind them.

    Args:
        space: its plans say where their encoders end.
        classes: of the pictures.
    """

    def __init__(self, space: PlanSpace, classes: int) -> None:
        self._space, self._classes = space, classes

    def plan(self, architecture: Architecture) -> Plan:
        """The layers."""
        return classifier_plan(self._space.plan(architecture), self._classes)

    def build(self, architecture: Architecture) -> nn.Module:
        """The net with fresh weights; logits: batch x classes x 1 x 1."""
        return Network(self.plan(architecture))

    def for_classes(self, classes: int) -> Self:
        """The same for another number of classes."""
        return type(self)(self._space, classes)

    def input_size(self, architecture: Architecture) -> tuple[int, int]:
        """Height and width of the net's input."""
        return self._space.input_size(architecture)

    def parameters(self, architecture: Architecture) -> int:
        """Number of trainable parameters."""
        return self.plan(architecture).parameters()

    def lower(self, architecture: Architecture) -> OperatorGraph:
        """The operator graph."""
        return lower(self.plan(architecture), *self.input_size(architecture))


class ClassificationTask(SegmentationTask):
    """Pictures to one class each: segmentation into one pixel, by cross-entropy alone and without a teacher.

    Args:
        space: of the nets.
        options: of the task.
        source: classified pictures.
    """

    def __init__(self, space: Nets, options: TaskOptions, source: DataSource) -> None:
        training = options.training.model_copy(update=_WITHOUT_MASKS)
        super().__init__(space, replace(options, training=training), source)

    @override
    def train(
        self,
        architecture: Architecture,
        *,
        checkpoint: Path,
        epochs: int | None = None,
        short: bool = False,
        on_progress: OnProgress = ignore_progress,
    ) -> Trained:
        def without_iou(progress: Progress) -> None:
            on_progress(
                replace(progress, best_quality=None, mean_iou=None)
                if isinstance(progress, SearchProgress)
                else progress
            )

        return super().train(architecture, checkpoint=checkpoint, epochs=epochs, short=short, on_progress=without_iou)

    @override
    def describe(self) -> dict[str, Any]:
        return {**super().describe(), "task": "classification"}

    @override
    def first_look(self, *, photographs: bool = True) -> None:
        return None

    @override
    def _settings(
        self, size: tuple[int, int], epochs: int, *, teacher_size: tuple[int, int] | None = None
    ) -> TrainSettings:
        return replace(super()._settings(size, epochs, teacher_size=teacher_size), dice_weight=0.0)

    @override
    def _quality(self, scores: Scores) -> Quality:
        metrics = {"accuracy": scores.pixel_accuracy, "mean_f1": scores.mean_f1}
        return Quality(metrics, "accuracy", scores.images, {"f1_per_class": list(scores.f1_per_class)})
