"""Weights that ship: written and read, checked, and taken where they fit."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
import torch
from torch import nn

from foundation.errors import UserError
from search.spaces.portrait.space import PortraitSpace
from segmentation.data.source import batch_of
from segmentation.data.synthetic.source import SyntheticPeople
from segmentation.evaluation import evaluate
from segmentation.networks.network import Network
from segmentation.networks.teacher import teacher_plan
from segmentation.normalisation import normalise
from segmentation.pretrained.supernet import start_supernet
from segmentation.pretrained.weights import MANIFEST, SHIPPED, recipe, ship, shipped, start_from
from segmentation.supernet.supernet import Supernet, recalibrate

SPACE = PortraitSpace(sizes=((128, 128),))


def net(outputs: int, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, outputs, 1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ship({"teacher": (net(2, seed=1), {"epochs": 3})}, tmp_path)
    return tmp_path


def test_a_network_starts_from_what_was_shipped(folder: Path) -> None:
    started, source = net(2, seed=2), net(2, seed=1)
    assert start_from(started, "teacher", folder=folder) == len(source.state_dict())
    for key, value in source.state_dict().items():
        torch.testing.assert_close(started.state_dict()[key], value, atol=1e-3, rtol=1e-3)
    assert recipe("teacher", folder) == {"epochs": 3}


def test_a_head_for_other_classes_stays_fresh(folder: Path) -> None:
    started, fresh = net(5, seed=2), net(5, seed=2)
    start_from(started, "teacher", folder=folder)
    torch.testing.assert_close(started.get_parameter("2.weight"), fresh.get_parameter("2.weight"))
    assert not torch.equal(started.get_parameter("0.weight"), fresh.get_parameter("0.weight"))


def test_each_network_gets_a_copy(folder: Path) -> None:
    first, second = net(2, seed=2), net(2, seed=3)
    start_from(first, "teacher", folder=folder)
    with torch.no_grad():
        first.get_parameter("0.weight").zero_()
    start_from(second, "teacher", folder=folder)
    assert second.get_parameter("0.weight").abs().sum() > 0


@pytest.mark.parametrize("file", ["teacher.safetensors", MANIFEST])
@pytest.mark.parametrize("damage", [b"", b"\x00", None])
def test_damaged_files_are_one_line(folder: Path, file: str, damage: bytes | None) -> None:
    if damage is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes((folder / file).read_bytes()[:-20] + damage)
    with pytest.raises(UserError, match=r"shipped weights .*install latseg again"):
        start_from(net(2, seed=2), "teacher", folder=folder)


@pytest.mark.parametrize("classes", [2, 19])
def test_the_package_ships_weights_of_the_present_teacher(classes: int) -> None:
    teacher = Network(teacher_plan(classes))
    # The head is one layer: a weight and a bias.
    assert start_from(teacher, "teacher") == len(teacher.state_dict()) - (2 if classes > 2 else 0)


def test_the_shipped_teacher_finds_people_on_scenes_that_it_never_saw() -> None:
    torch.manual_seed(0)
    teacher, fresh = Network(teacher_plan()), Network(teacher_plan())
    start_from(teacher, "teacher")
    scenes = SyntheticPeople(12, seed=99, size=(64, 64))
    quality, without = (evaluate(net.eval(), scenes, (64, 64)).mean_iou for net in (teacher, fresh))
    assert quality > 0.6 > without


@pytest.mark.parametrize("classes", [2, 19])
def test_the_package_ships_weights_of_the_present_space(classes: int) -> None:
    shared = Supernet(classes)
    names = {name for name in shipped("portrait-supernet") if classes == 2 or "head/" not in name}
    assert start_supernet(shared) == len(names)
    assert names <= set(shared.state_dict())


def test_nets_with_shipped_weights_find_people_on_scenes_that_they_never_saw() -> None:
    shared = Supernet(2)
    start_supernet(shared)
    images, _ = batch_of(SyntheticPeople(24, seed=98, size=(128, 128)), range(24))
    scenes = SyntheticPeople(12, seed=99, size=(128, 128))
    for net in SPACE.sample(3, Random(0)):
        network = shared.extract(SPACE.plan(net))
        recalibrate(network, [normalise(images)])
        assert evaluate(network, scenes, (128, 128)).mean_iou > 0.55


def test_the_shipped_files_are_small() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.glob("*.safetensors")) < 12e6
