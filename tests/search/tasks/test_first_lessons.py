"""A net before it sees a user's data."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from torch import nn

from foundation.progress import ignore_progress
from search.options import DataOptions, TrainingOptions
from search.spaces.auxiliary_cells.space import AuxiliaryCellsSpace
from search.spaces.known_network import KnownNetwork
from search.spaces.portrait.space import PortraitSpace
from search.tasks import first_lessons
from search.tasks import segmentation as tasks
from search.tasks.first_lessons import taught_by_scenes, with_shipped_weights
from search.tasks.segmentation import SegmentationTask
from search.tasks.task import TaskOptions
from search.transfers.target import Target
from segmentation.data.registry import open_source
from segmentation.networks.network import Network
from segmentation.pretrained.encoder import encoder_of
from segmentation.pretrained.weights import shipped

SIZE = (128, 128)
SPACE = PortraitSpace(2, sizes=(SIZE,))
(NET,) = SPACE.sample(1, Random(0))
CELLS = AuxiliaryCellsSpace(encoder="small", sizes=(SIZE,))
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
    return taught_by_scenes(
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
    ("changes", "short", "expected"),
    [
        ({}, False, ["5 steps"]),
        ({}, True, ["shipped"]),
        ({"pretrained": False}, False, []),
        ({"pretrained": False}, True, []),
        ({"scene_steps": 0}, False, []),
    ],
)
def test_how_a_training_begins(
    changes: dict[str, Any], short: bool, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def beginning(space: PortraitSpace, architecture: Any, steps: int, **_: object) -> nn.Module:
        calls.append(f"{steps} steps")
        return space.build(architecture)

    def shipped(space: PortraitSpace, architecture: Any, *, seed: int) -> nn.Module:
        calls.append("shipped")
        return space.build(architecture)

    monkeypatch.setattr(tasks, "taught_by_scenes", beginning)
    monkeypatch.setattr(tasks, "with_shipped_weights", shipped)
    options = TaskOptions(DataOptions(source="synthetic:6", size=(64, 64)), TRAINING.model_copy(update=changes))
    task = SegmentationTask(SPACE, options)
    checkpoint = tmp_path / "net.safetensors"
    task.train(NET, checkpoint=checkpoint, short=short)
    task.train(NET, checkpoint=checkpoint, short=short)
    assert calls == expected, "the finished training begins with its checkpoint"


@pytest.mark.parametrize("classes", [2, 5])
def test_a_net_of_the_space_takes_its_slice_of_the_shipped_weights(classes: int) -> None:
    space = PortraitSpace(classes, sizes=(SIZE,))
    begun = with_shipped_weights(space, NET, seed=0).state_dict()
    shipped = SPACE.supernet(pretrained=True).extract(SPACE.plan(NET)).state_dict()
    torch.manual_seed(0)
    fresh = space.build(NET).state_dict()
    head = {name for name, value in shipped.items() if value.shape != begun[name].shape}
    assert (len(head) > 0) is (classes > 2)
    for name, value in begun.items():
        assert torch.equal(value, fresh[name] if name in head else shipped[name]), name
    assert not torch.equal(begun["layers.0.0.weight"], fresh["layers.0.0.weight"])


def beginnings(task: SegmentationTask, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the net has the shipped encoder before scenes, where there are some, and before its full training."""
    begun: list[bool] = []
    weights, trained = shipped("small-encoder"), tasks.train

    def seen(network: nn.Module, *arguments: Any, **keywords: Any) -> Any:
        assert isinstance(network, Network)
        begun.append(all(torch.equal(value, weights[key]) for key, value in encoder_of(network).state_dict().items()))
        return trained(network, *arguments, **keywords) if arguments[0] is task.source else None

    monkeypatch.setattr(first_lessons, "learn_scenes", seen)
    monkeypatch.setattr(tasks, "train", seen)
    task.train(CELLS.sample(1, Random(0))[0], checkpoint=folder / "net.safetensors")
    return begun


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, [True, True]), ({"scene_steps": 0}, [True]), ({"pretrained": False}, [False])],
    ids=["scenes", "none", "scratch"],
)
def test_a_full_training_begins_with_the_shipped_encoder(
    changes: dict[str, Any], expected: list[bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = TaskOptions(DataOptions(source="synthetic:6", size=(64, 64)), TRAINING.model_copy(update=changes))
    assert beginnings(SegmentationTask(CELLS, options), tmp_path, monkeypatch) == expected


def test_a_transfer_from_scratch_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = TaskOptions(
        DataOptions(source="synthetic:6", size=(64, 64)), TRAINING.model_copy(update={"scene_steps": 0})
    )
    target = Target(open_source("synthetic:6", size=(64, 64)), classified=False, nets=CELLS)
    assert beginnings(target.task(options, weights=None), tmp_path, monkeypatch) == [False]


class OwnSpace(PortraitSpace):
    shipped_weights = None


@pytest.mark.parametrize("space", [KnownNetwork(2, network="lraspp", size=SIZE), OwnSpace()], ids=["known", "own"])
def test_where_no_weights_ship_all_is_fresh(space: Any) -> None:
    net = NET if space.name == "portrait" else space.architecture
    begun = with_shipped_weights(space, net, seed=0).state_dict()
    torch.manual_seed(0)
    fresh = space.build(net).state_dict()
    assert all(torch.equal(value, begun[name]) for name, value in fresh.items())
