"""Trains the teacher, or takes it from its checkpoint. Importing this module loads torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from segmentation.data.source import DataSource
from segmentation.networks.network import Network
from segmentation.networks.teacher import TOTAL_STRIDE, teacher_plan
from segmentation.training.settings import TrainSettings
from segmentation.training.train import Progress, TrainingResult, train


def trained_teacher(
    source: DataSource,
    settings: TrainSettings,
    *,
    checkpoint: Path,
    on_progress: Callable[[Progress], None] | None = None,
) -> TrainingResult:
    """The teacher at ``settings.input_size`` (multiples of its stride); goes on from the checkpoint.

    Raises:
        UserError: as ``train``.
    """
    torch.manual_seed(settings.seed)
    network = Network(teacher_plan(len(source.classes)))
    return train(network, source, settings, checkpoint=checkpoint, resume=True, on_progress=on_progress)


def teacher_size(size: tuple[int, int]) -> tuple[int, int]:
    """``size`` (height, width) rounded up to multiples of the teacher's stride."""
    height, width = (-(-side // TOTAL_STRIDE) * TOTAL_STRIDE for side in size)
    return height, width
