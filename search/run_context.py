"""One run and what it works with: its data, its teacher, its space, its devices. Importing this module loads torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from torch import nn

from devices.device import Device
from latency.store import MeasurementStore
from search.progress import OnProgress, Progress
from search.run_config import RunConfig
from search.run_folder import RunFolder
from search.spaces.space import SearchSpace
from segmentation.data.registry import open_source
from segmentation.data.source import DataSource
from segmentation.networks.teacher import teacher_size
from segmentation.training.loop import OnTrainingProgress, TrainingProgress
from segmentation.training.settings import TrainSettings
from segmentation.training.train import trained_teacher


@dataclass(frozen=True)
class RunContext:
    """A run while one of its commands works on it; what is costly is made at first use and kept."""

    folder: RunFolder
    config: RunConfig
    space: SearchSpace
    devices: Mapping[str, Device]
    """By the name of the budget."""
    store: MeasurementStore
    on_progress: OnProgress

    @cached_property
    def source(self) -> DataSource:
        """The data, with which training starts.

        Raises:
            UserError: it cannot be read.
        """
        config = self.config
        return open_source(
            config.data,
            seed=config.seed,
            count=config.data_count,
            size=config.data_size,
            resize_masks=config.resize_masks,
            hold_out_test=config.data_test,
        )

    @property
    def teacher_size(self) -> tuple[int, int]:
        """Height and width at which the teacher sees images."""
        return teacher_size(self.config.effort.training_size or self.config.data_size)

    @cached_property
    def teacher(self) -> nn.Module | None:
        """The trained teacher; trained now where the run has none yet."""
        effort = self.config.effort
        if not effort.teacher_epochs:
            return None
        settings = TrainSettings(
            input_size=self.teacher_size,
            epochs=effort.teacher_epochs,
            batch_size=effort.batch_size,
            evaluate_limit=effort.evaluation_images,
            seed=self.config.seed,
            threads=effort.threads,
        )
        result = trained_teacher(
            self.source, settings, checkpoint=self.folder.teacher, on_progress=self.training_progress("teacher")
        )
        return result.network

    def training_progress(self, stage: str) -> OnTrainingProgress:
        """Passes the progress of a training on."""

        def report(progress: TrainingProgress) -> None:
            best = progress.best_mean_iou
            self.on_progress(Progress(stage, progress.done, progress.total, best_quality=best))

        return report
