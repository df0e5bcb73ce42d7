"""The conformance suite of tasks. Subclass it, name the class ``Test...``, and say how to make the task."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from pathlib import Path
from random import Random

import pytest
import torch

from foundation.errors import UserError
from foundation.progress import Progress
from search.architecture import Architecture
from search.spaces.space import SearchSpace
from search.tasks.task import Task


class TaskContract(ABC):
    """The contract of ``search.tasks.task.Task``."""

    @abstractmethod
    def make_space(self) -> SearchSpace:
        """A space of the task, with as many classes as its data have."""

    @abstractmethod
    def make_task(self, space: SearchSpace, folder: Path) -> Task:
        """The task, with the smallest amounts: training takes a second, and 2 epochs by default."""

    @pytest.fixture
    def space(self) -> SearchSpace:
        return self.make_space()

    @pytest.fixture
    def task(self, space: SearchSpace, tmp_path: Path) -> Task:
        return self.make_task(space, tmp_path)

    @pytest.fixture
    def architecture(self, space: SearchSpace) -> Architecture:
        return min(space.sample(20, Random(0)), key=space.parameters)

    def test_classes_are_those_of_the_space(self, space: SearchSpace, task: Task, tmp_path: Path) -> None:
        assert len(task.classes) == space.classes == len(set(task.classes))
        assert task.data
        assert task.data_fingerprint == self.make_task(space, tmp_path / "again").data_fingerprint
        assert task.training_examples > 0

    def test_nets_have_the_parameters_that_the_space_counts(
        self, space: SearchSpace, task: Task, architecture: Architecture
    ) -> None:
        module = task.build(architecture)
        assert sum(parameter.numel() for parameter in module.parameters()) == space.parameters(architecture)

    def test_nets_take_the_example_inputs(self, task: Task, architecture: Architecture) -> None:
        inputs = task.example_inputs(architecture)
        assert inputs
        with torch.no_grad():
            output = task.build(architecture).eval()(*inputs.values())
        assert torch.isfinite(output).all()

    @pytest.mark.parametrize("split", ["train", "validation"])
    def test_quality_names_its_main_metric(self, task: Task, architecture: Architecture, split: str) -> None:
        quality = task.evaluate(architecture, task.build(architecture), split=split, limit=2)  # type: ignore[arg-type]
        assert quality.value == quality.metrics[quality.main]
        assert all(0.0 <= value <= 1.0 for value in quality.metrics.values())
        assert 0 < quality.examples <= 2
        json.dumps(quality.to_json())

    def test_training_follows_from_the_seed_and_is_not_repeated(
        self, space: SearchSpace, task: Task, architecture: Architecture, tmp_path: Path
    ) -> None:
        first = task.train(architecture, checkpoint=tmp_path / "first.safetensors")
        assert first.epochs == 2
        assert first.quality.value == pytest.approx(task.evaluate(architecture, first.module).value, abs=1e-3)
        moments: list[Progress] = []
        other = self.make_task(space, tmp_path / "other")
        second = other.train(architecture, checkpoint=tmp_path / "second.safetensors", on_progress=moments.append)
        assert second.quality == first.quality
        assert moments[-1].done == moments[-1].total > 0
        moments.clear()
        again = other.train(architecture, checkpoint=tmp_path / "second.safetensors", on_progress=moments.append)
        assert again.quality == first.quality
        assert moments == []

    def test_an_interrupted_training_continues(self, task: Task, architecture: Architecture, tmp_path: Path) -> None:
        whole = task.train(architecture, checkpoint=tmp_path / "whole.safetensors")
        checkpoint, steps = tmp_path / "parts.safetensors", []

        def stop(progress: Progress) -> None:
            steps.append(progress.done)
            if progress.stage.startswith("train") and progress.done > progress.total // 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            task.train(architecture, checkpoint=checkpoint, on_progress=stop)
        with pytest.raises(UserError):
            task.load(architecture, checkpoint)
        assert task.train(architecture, checkpoint=checkpoint).quality == whole.quality

    def test_trained_weights_are_loaded(self, task: Task, architecture: Architecture, tmp_path: Path) -> None:
        checkpoint = tmp_path / "net.safetensors"
        with pytest.raises(UserError):
            task.load(architecture, checkpoint)
        trained = task.train(architecture, checkpoint=checkpoint, epochs=1)
        loaded = task.load(architecture, checkpoint)
        assert not loaded.training
        for name, value in trained.module.state_dict().items():
            torch.testing.assert_close(loaded.state_dict()[name], value)

    def test_the_description_is_json(self, task: Task) -> None:
        description = json.loads(json.dumps(task.describe()))
        assert description["task"]
