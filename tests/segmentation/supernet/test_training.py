from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import torch
from torch import Tensor
from torch.utils.data import Dataset

from foundation.errors import UserError
from segmentation.networks.network import Network
from segmentation.networks.plan import INPUT, Layer, Plan
from segmentation.normalisation import normalise
from segmentation.supernet.supernet import Supernet, recalibrate
from segmentation.supernet.training import (
    Draw,
    SupernetProgress,
    SupernetSettings,
    learning_rate,
    resize_images,
    resize_masks,
    train_supernet,
)

SETTINGS = SupernetSettings(steps=8, batch_size=4, checkpoint_every=3)


class Blobs(Dataset[tuple[Tensor, Tensor]]):
    """Images whose red channel says where the object is."""

    def __init__(self, count: int = 16) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(index)
        image = torch.rand(3, 32, 32, generator=generator)
        row, column = (int(value) for value in torch.randint(4, 20, (2,), generator=generator))
        mask = torch.zeros(32, 32, dtype=torch.int64)
        mask[row : row + 10, column : column + 10] = 1
        image[0] = 0.3 * image[0] + 0.7 * mask
        return image, mask


def net(width: int, kernel: int) -> Plan:
    return Plan(
        (
            Layer("stem", "conv", (INPUT,), width, 3, 2, activation="relu"),
            Layer("deep", "conv", ("stem",), width, kernel, depthwise=True, activation="relu"),
            Layer("classes", "conv", ("deep",), 2, normalise=False),
            Layer("enlarge", "resize", ("classes",), factor=2),
        )
    )


def draw_nets(rng: Random) -> Sequence[Draw]:
    return [(net(12, 5), (32, 32)), (net(4, 3), (16, 32)), (net(rng.choice((4, 8, 12)), 3), (32, 16))]


def make_supernet() -> Supernet:
    torch.manual_seed(0)
    return Supernet(2, [net(12, 5)])


def weights(supernet: Supernet) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in supernet.state_dict().items()}


def equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def accuracy(network: Network) -> float:
    pairs = [Blobs()[index] for index in range(16)]
    images, masks = torch.stack([image for image, _ in pairs]), torch.stack([mask for _, mask in pairs])
    recalibrate(network, [normalise(images)])
    with torch.no_grad():
        return float((network(normalise(images)).argmax(1) == masks).float().mean())


def test_every_net_of_the_sandwich_learns() -> None:
    supernet = make_supernet()
    told: list[SupernetProgress] = []
    losses = train_supernet(
        supernet, Blobs(), draw_nets, replace(SETTINGS, steps=60, learning_rate=0.03), on_progress=told.append
    )
    assert losses[-1] < 0.6 * losses[0]
    assert [progress.step for progress in told] == list(range(1, 61))
    assert [progress.loss for progress in told] == losses
    for plan in (net(12, 5), net(12, 3)):
        assert accuracy(supernet.extract(plan)) > 0.95


def test_same_seed_same_weights() -> None:
    first, second, other = make_supernet(), make_supernet(), make_supernet()
    train_supernet(first, Blobs(), draw_nets, SETTINGS)
    train_supernet(second, Blobs(), draw_nets, SETTINGS)
    train_supernet(other, Blobs(), draw_nets, replace(SETTINGS, seed=1))
    assert equal(weights(first), weights(second))
    assert not equal(weights(first), weights(other))


def test_the_teacher_is_listened_to_and_left_alone() -> None:
    torch.manual_seed(3)
    teacher = Network(net(12, 5))
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    alone, taught = make_supernet(), make_supernet()
    train_supernet(alone, Blobs(), draw_nets, SETTINGS)
    settings = replace(SETTINGS, teacher_size=(64, 64))
    train_supernet(taught, Blobs(), draw_nets, settings, teacher=teacher)
    assert not equal(weights(alone), weights(taught))
    assert equal(before, dict(teacher.state_dict()))
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_interrupted_and_resumed_is_the_same_as_in_one_go(tmp_path: Path) -> None:
    whole, halves = make_supernet(), make_supernet()
    expected = train_supernet(whole, Blobs(), draw_nets, SETTINGS)
    checkpoint = tmp_path / "run" / "supernet.safetensors"

    def press_ctrl_c(progress: SupernetProgress) -> None:
        if progress.step == 4:
            os.kill(os.getpid(), signal.SIGINT)

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train_supernet(
            halves, Blobs(), draw_nets, SETTINGS, checkpoint=checkpoint, resume=True, on_progress=press_ctrl_c
        )
    assert signal.getsignal(signal.SIGINT) is handler
    assert [file.name for file in checkpoint.parent.iterdir()] == [checkpoint.name]
    fresh = make_supernet()
    rest = train_supernet(fresh, Blobs(), draw_nets, SETTINGS, checkpoint=checkpoint, resume=True)
    assert rest == expected[-len(rest) :]
    assert 0 < len(rest) < len(expected)
    assert equal(weights(fresh), weights(whole))
    # Nothing is left to do, and the weights are there.
    again = make_supernet()
    assert train_supernet(again, Blobs(), draw_nets, SETTINGS, checkpoint=checkpoint, resume=True) == []
    assert equal(weights(again), weights(whole))


def test_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    checkpoint = tmp_path / "supernet.safetensors"
    train_supernet(make_supernet(), Blobs(), draw_nets, SETTINGS, checkpoint=checkpoint)
    with pytest.raises(UserError, match="delete the file"):
        train_supernet(
            make_supernet(), Blobs(), draw_nets, replace(SETTINGS, seed=9), checkpoint=checkpoint, resume=True
        )
    with pytest.raises(UserError, match="shapes"):
        train_supernet(Supernet(2, [net(8, 5)]), Blobs(), draw_nets, SETTINGS, checkpoint=checkpoint, resume=True)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"\x00" * 100])
def test_damaged_checkpoint_is_refused(content: bytes, tmp_path: Path) -> None:
    checkpoint = tmp_path / "supernet.safetensors"
    checkpoint.write_bytes(content)
    with pytest.raises(UserError, match=r"supernet\.safetensors"):
        train_supernet(make_supernet(), Blobs(), draw_nets, SETTINGS, checkpoint=checkpoint, resume=True)


def test_nothing_to_train_with_or_on() -> None:
    with pytest.raises(UserError, match="no pairs"):
        train_supernet(make_supernet(), Blobs(0), draw_nets, SETTINGS)
    with pytest.raises(UserError, match="nets to train"):
        train_supernet(make_supernet(), Blobs(), lambda _rng: [], SETTINGS)


def test_learning_rate_rises_and_falls() -> None:
    settings = SupernetSettings(steps=100, learning_rate=1.0)
    rates = [learning_rate(step, settings) for step in range(100)]
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert max(rates) == 1
    assert rates[-1] < 0.01


def test_resizing() -> None:
    image, mask = Blobs()[0]
    assert resize_images(image[None], (16, 24)).shape == (1, 3, 16, 24)
    smaller = resize_masks(mask[None], (16, 16))
    assert smaller.dtype == torch.int64
    assert set(smaller.unique().tolist()) == {0, 1}
    assert torch.equal(resize_masks(torch.full((1, 4, 4), 255), (2, 2)), torch.full((1, 2, 2), 255))
