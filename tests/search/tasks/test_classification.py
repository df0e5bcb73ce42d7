"""The task of classified pictures."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
import torch

from export.to_onnx import export_module
from foundation.progress import Progress
from latency.operators.from_onnx import from_onnx
from search.options import DataOptions, TrainingOptions
from search.progress import SearchProgress
from search.spaces.portrait.space import PortraitSpace
from search.tasks.classification import ClassificationTask, EncoderNets
from search.tasks.task import TaskOptions
from segmentation.data.classified.registry import open_classified
from tests.segmentation.data.drawn_classes import class_folders

SPACE = PortraitSpace(sizes=[(128, 128)])
NET = min(SPACE.sample(20, Random(0)), key=SPACE.parameters)
TRAINING = TrainingOptions(
    teacher="no-such-file.onnx", unlabelled="no-such-folder", winner_epochs=2, batch_size=4, threads=1
)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> ClassificationTask:
    folder = tmp_path_factory.mktemp("classes")
    source = open_classified(f"images:{class_folders(folder)}", size=(32, 32))
    options = TaskOptions(DataOptions(source=source.name, size=(32, 32)), TRAINING)
    return ClassificationTask(EncoderNets(SPACE, 3), options, source)


def test_the_graph_and_the_parameters_are_those_of_the_exported_net(task: ClassificationTask, tmp_path: Path) -> None:
    module, nets = task.build(NET), EncoderNets(SPACE, 3)
    path = export_module(module, tmp_path / "net.onnx", task.example_inputs(NET))
    assert nets.lower(NET) == from_onnx(path)
    assert nets.parameters(NET) == sum(parameter.numel() for parameter in module.parameters())
    assert nets.lower(NET).operators[-1].output_shapes == ((1, 3, 1, 1),)


def test_trained_without_a_teacher_and_scored_by_accuracy(task: ClassificationTask, tmp_path: Path) -> None:
    moments: list[Progress] = []
    trained = task.train(NET, checkpoint=tmp_path / "net.safetensors", on_progress=moments.append)
    assert trained.quality.main == "accuracy"
    assert set(trained.quality.metrics) == {"accuracy", "mean_f1"}
    assert trained.quality.examples == 3
    assert not trained.notes
    assert moments
    assert all(
        isinstance(moment, SearchProgress) and moment.best_quality is None and moment.mean_iou is None
        for moment in moments
    )
    assert moments[-1].done == moments[-1].total
    loaded = task.load(NET, tmp_path / "net.safetensors")
    assert task.evaluate(NET, loaded).metrics == pytest.approx(dict(trained.quality.metrics))
    assert task.describe()["task"] == "classification"
    assert task.first_look() is None


def test_accuracy_is_the_share_of_pictures(task: ClassificationTask) -> None:
    class Always(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.tensor([0.0, 1.0, 0.0]).view(1, 3, 1, 1).expand(len(images), 3, 1, 1)

    assert task.evaluate(NET, Always()).value == pytest.approx(1 / 3)
