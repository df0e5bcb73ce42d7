"""A net before it sees a user's data."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from foundation.progress import ignore_progress
from search.architecture import Architecture
from search.options import DataOptions, TrainingOptions
from search.spaces.known_network import KnownNetwork
from search.spaces.portrait.space import PortraitSpace
from search.tasks import first_lessons
from search.tasks import segmentation as tasks
from search.tasks.first_lessons import pretrained
from search.tasks.segmentation import SegmentationTask
from search.tasks.task import TaskOptions

SIZE = (128, 128)
SPACE = PortraitSpace(2, sizes=(SIZE,))
(NET,) = SPACE.sample(1, Random(0))
TRAINING = TrainingOptions(
    teacher_epochs=0, winner_epochs=1, scene_steps=5, batch_size=2, evaluation_images=1, threads=1
)


def taught(space: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    """The net where scenes set every weight to 7."""

    def to_seven(network: nn.Module, steps: int, *, device: str, **_: object) -> None:
        assert (steps, device) == (5, "cuda:3")
        for value in network.state_dict().values():
            value.fill_(7)

    monkeypatch.setattr(first_lessons, "learn_scenes", to_seven)
    net = NET if space.name == "portrait" else space.architecture
    return pretrained(
        space,
        net,
        5,
        seed=0,
        threads=1,
        device="cuda:3",
        checkpoint=folder / "scenes.safetensors",
        on_progress=ignore_progress,
    )


def fresh_names(network: nn.Module) -> set[str]:
    return {name for name, value in network.state_dict().items() if not bool((value == 7).all())}


def test_a_person_net_takes_every_weight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fresh_names(taught(SPACE, tmp_path, monkeypatch)) == set()


@pytest.mark.parametrize(
    "space", [PortraitSpace(5, sizes=(SIZE,)), KnownNetwork(5, network="lraspp", size=SIZE)], ids=["space", "known"]
)
def test_with_other_classes_the_head_is_fresh(space: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = taught(space, tmp_path, monkeypatch)
    names = fresh_names(network)
    state = network.state_dict()
    assert names
    assert all(5 in state[name].shape for name in names)
    torch.manual_seed(0)
    expected = space.build(NET if space.name == "portrait" else space.architecture).state_dict()
    assert all(torch.equal(state[name], expected[name]) for name in names)


@pytest.mark.parametrize(
    ("changes", "short", "steps"),
    [({}, False, [5]), ({}, True, [0]), ({"pretrained": False}, False, []), ({"scene_steps": 0}, False, [0])],
)
def test_how_a_training_begins(
    changes: dict[str, Any], short: bool, steps: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def beginning(space: PortraitSpace, architecture: Any, steps: int, **_: object) -> nn.Module:
        calls.append(steps)
        return space.build(architecture)

    monkeypatch.setattr(tasks, "pretrained", beginning)
    options = TaskOptions(DataOptions(source="synthetic:6", size=(64, 64)), TRAINING.model_copy(update=changes))
    task = SegmentationTask(SPACE, options)
    checkpoint = tmp_path / "net.safetensors"
    task.train(NET, checkpoint=checkpoint, short=short)
    task.train(NET, checkpoint=checkpoint, short=short)
    assert calls == steps, "the finished training begins with its checkpoint"


def without_scenes(space: Any, architecture: Architecture, folder: Path) -> dict[str, Tensor]:
    found = pretrained(
        space, architecture, 0, seed=0, threads=1, device="cpu", checkpoint=folder / "none", on_progress=ignore_progress
    )
    return found.state_dict()


@pytest.mark.parametrize("classes", [2, 5])
def test_a_net_of_the_space_begins_with_its_slice_of_the_shipped_weights(classes: int, tmp_path: Path) -> None:
    begun = without_scenes(PortraitSpace(classes, sizes=(SIZE,)), NET, tmp_path)
    shipped = SPACE.supernet(pretrained=True).extract(SPACE.plan(NET)).state_dict()
    other = {name for name, value in shipped.items() if value.shape != begun[name].shape}
    assert (len(other) > 0) is (classes > 2)
    assert all(5 in begun[name].shape for name in other), "the head"
    assert all(torch.equal(value, begun[name]) for name, value in shipped.items() if name not in other)
    assert not torch.equal(next(iter(begun.values())), next(iter(SPACE.build(NET).state_dict().values())))


def test_a_known_network_begins_with_random_weights(tmp_path: Path) -> None:
    space = KnownNetwork(2, network="lraspp", size=SIZE)
    begun = without_scenes(space, space.architecture, tmp_path)
    torch.manual_seed(0)
    expected = space.build(space.architecture).state_dict()
    assert all(torch.equal(value, begun[name]) for name, value in expected.items())
