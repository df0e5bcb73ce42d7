"""A handful of small synthetic portraits, on which gates are trained in the toy space in a moment."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from search.options import DataOptions, TrainingOptions
from search.spaces.plan_space import PlanSpace
from search.tasks.segmentation import SegmentationTask
from search.tasks.task import TaskOptions
from segmentation.data.registry import open_source
from segmentation.data.source import DataSource
from tests.search.toy import FormulaEvaluator, ToySpace

TRAINING = TrainingOptions(batch_size=2, threads=1)
QUICK = "warmup=1,paths=2"


@cache
def source() -> DataSource:
    return open_source("synthetic:20", seed=0, size=(32, 32))


class TaskEvaluator(FormulaEvaluator):
    """Quality by formula, and a task."""

    def __init__(
        self, folder: Path, *, seed: int = 0, training: TrainingOptions = TRAINING, space: PlanSpace | None = None
    ) -> None:
        super().__init__()
        self.folder = folder
        options = TaskOptions(DataOptions(source="synthetic:20", size=(32, 32)), training, seed, folder)
        self.task = SegmentationTask(space or ToySpace(), options, source())
