"""The conformance suite on every task."""

from __future__ import annotations

from pathlib import Path

from latseg.testing.task_contract import TaskContract
from search.options import DataOptions, TrainingOptions
from search.spaces.known_network import KnownNetwork
from search.spaces.portrait.space import PortraitSpace
from search.spaces.space import SearchSpace
from search.tasks.task import Task, TaskOptions
from tests.search.vectors import VectorSpace

SMALLEST = TrainingOptions(
    teacher_epochs=1, winner_epochs=2, scene_steps=0, batch_size=4, evaluation_images=2, threads=1
)


class TestSegmentationTask(TaskContract):
    def make_space(self) -> SearchSpace:
        return PortraitSpace(sizes=[(128, 128)])

    def make_task(self, space: SearchSpace, folder: Path) -> Task:
        return space.make_task(
            TaskOptions(DataOptions(source="synthetic:10", size=(128, 128)), SMALLEST, folder=folder)
        )


class TestTaskOfAKnownNetwork(TaskContract):
    def make_space(self) -> SearchSpace:
        return KnownNetwork(network="sinet", size=(33, 47))

    def make_task(self, space: SearchSpace, folder: Path) -> Task:
        training = SMALLEST.model_copy(update={"teacher_epochs": 0})
        return space.make_task(TaskOptions(DataOptions(source="synthetic:10", size=(64, 64)), training, folder=folder))


class TestVectorTask(TaskContract):
    def make_space(self) -> SearchSpace:
        return VectorSpace(classes=3)

    def make_task(self, space: SearchSpace, folder: Path) -> Task:
        return space.make_task(TaskOptions(DataOptions(source="vectors:32"), SMALLEST, folder=folder))
