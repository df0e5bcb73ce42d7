"""The evaluator that trains each architecture, on a task that is not segmentation."""

from __future__ import annotations

from pathlib import Path

from latseg.testing.evaluator_contract import EvaluatorContract
from search.evaluators.registry import make_evaluator
from search.evaluators.training import TrainingEvaluator
from search.options import DataOptions
from search.tasks.task import TaskOptions
from tests.search.vectors import VectorSpace


def make(folder: Path, text: str = "training") -> TrainingEvaluator:
    space = VectorSpace(classes=3)
    task = space.make_task(TaskOptions(DataOptions(source="vectors:64")))
    evaluator = make_evaluator(text, space, task, folder=folder)
    assert isinstance(evaluator, TrainingEvaluator)
    return evaluator


class TestTrainingEvaluator(EvaluatorContract):
    maximum_parameters = 1000

    def make(self, folder: Path) -> TrainingEvaluator:
        return make(folder)


def test_epochs_decide_how_long_each_net_is_trained(tmp_path: Path) -> None:
    space = VectorSpace(classes=3)
    architecture = space.of([4])
    short, long = make(tmp_path / "short", "training:epochs=1"), make(tmp_path / "long", "training:epochs=40")
    assert long.quality([architecture])[0] > short.quality([architecture])[0]
    assert short.weights(space.of([1])) is None
    assert short.weights(architecture) is not None
