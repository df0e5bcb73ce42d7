import os
from dataclasses import fields
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from foundation.errors import UserError
from segmentation.evaluation import evaluate
from segmentation.normalisation import MEAN, STD, normalise
from segmentation.training.augmentation import Augmentation
from segmentation.training.checkpoint import WEIGHTS, load_checkpoint, load_weights, save_checkpoint, with_prefix
from segmentation.training.train import moving_average

# Normalisation


def test_normalisation_has_mean_and_deviation_of_the_constants() -> None:
    image = torch.tensor(MEAN).view(1, 3, 1, 1) + torch.tensor(STD).view(1, 3, 1, 1)
    torch.testing.assert_close(normalise(image), torch.ones(1, 3, 1, 1))


# Augmentation


def _scene() -> tuple[Tensor, Tensor]:
    """Images whose red channel is the mask, so that both can be held together after the warp."""
    masks = torch.zeros(16, 40, 40, dtype=torch.long)
    masks[:, 10:36, 4:22] = 1
    images = torch.rand(16, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    images[:, 0] = masks.float()
    return images, masks


_PLAIN = {"colour": 0.0, "gain": 0.0, "grey": 0.0, "noise": 0.0}


def test_masks_follow_their_images() -> None:
    images, masks = Augmentation(**_PLAIN)(*_scene(), torch.Generator().manual_seed(1))
    assert images.shape == (16, 3, 40, 40)
    assert masks.dtype == torch.int64
    assert ((images[:, 0] > 0.5) == masks.bool()).float().mean() > 0.98
    assert (masks != _scene()[1]).float().mean() > 0.05


def test_no_change_is_the_identity() -> None:
    still = Augmentation(mirror=0, zoom=1, stretch=1, turn_degrees=0, shift=0, **_PLAIN)
    images, masks = still(*_scene(), torch.Generator())
    torch.testing.assert_close(images, _scene()[0].clamp(1e-4, 1), atol=1e-5, rtol=0)
    assert torch.equal(masks, _scene()[1])


def test_mirroring_swaps_left_and_right_classes() -> None:
    mirror = Augmentation(mirror=1, zoom=1, stretch=1, turn_degrees=0, shift=0, **_PLAIN)
    masks = torch.zeros(2, 8, 8, dtype=torch.long)
    masks[:, 2, 1], masks[:, 2, 6], masks[:, 0, 0], masks[:, 7, 7] = 4, 5, 255, 3
    _, swapped = mirror(torch.rand(2, 3, 8, 8), masks, torch.Generator(), flip_swaps=((4, 5),))
    expected = masks.flip(-1)
    expected[:, 2, 6], expected[:, 2, 1] = 5, 4
    assert torch.equal(swapped, expected)


def test_augmentation_depends_on_its_generator_alone() -> None:
    def once(seed: int) -> Tensor:
        return Augmentation()(*_scene(), torch.Generator().manual_seed(seed))[0]

    assert torch.equal(once(3), once(3))
    assert not torch.equal(once(3), once(4))
    images = once(3)
    assert images.min() >= 0
    assert images.max() <= 1
    assert images.std(0).mean() > 0.01


_IDENTITY = {"mirror": 0.0, "zoom": 1.0, "stretch": 1.0, "turn_degrees": 0.0, "shift": 0.0, **_PLAIN}
_GEOMETRY = {"mirror": 1.0, "zoom": 1.5, "stretch": 1.4, "turn_degrees": 30.0, "shift": 0.2}
_COLOUR = {"colour": 0.3, "gain": 0.2, "grey": 1.0, "noise": 0.1}


@pytest.mark.parametrize("field", [field.name for field in fields(Augmentation)])
def test_every_range_changes_the_images(field: str) -> None:
    """Ranges of geometry change the masks too, those of colour do not."""
    plain, masks = Augmentation(**_IDENTITY)(*_scene(), torch.Generator().manual_seed(1))
    changes = _IDENTITY | {field: (_GEOMETRY | _COLOUR)[field]}
    images, changed = Augmentation(**changes)(*_scene(), torch.Generator().manual_seed(1))
    assert (images - plain).abs().amax((1, 2, 3)).median() > 0.03
    assert torch.equal(changed, masks) == (field in _COLOUR)


# Moving average


def test_moving_average_lags_and_copies_statistics() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1)).train()
    average = moving_average(network, 0.9)
    inner = average.module
    start = network[0].weight.detach().clone()
    with torch.no_grad():
        network[0].weight += 1
    network(torch.randn(4, 1, 8, 8))
    average.update_parameters(network)  # the first update counts for nine tenths
    torch.testing.assert_close(inner[0].weight, start + 0.9)
    torch.testing.assert_close(inner[1].running_mean, network[1].running_mean)
    assert inner[1].num_batches_tracked == 1
    average.n_averaged.fill_(10_000)
    average.update_parameters(network)
    torch.testing.assert_close(inner[0].weight, start + 0.9 + 0.1 * 0.1)
    assert not inner.training


# Evaluation


class Pairs(Dataset[tuple[Tensor, Tensor]]):
    """Images that are white where the mask is 1."""

    def __init__(self, count: int = 5, size: tuple[int, int] = (32, 48)) -> None:
        self.masks = torch.zeros(count, *size, dtype=torch.long)
        for index in range(count):
            self.masks[index, 4 + index :, 8:30] = 1

    def __len__(self) -> int:
        return len(self.masks)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.masks[index].float().expand(3, -1, -1), self.masks[index]


class Threshold(nn.Module):
    """Bright pixels are the person."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[tuple[int, ...]] = []

    def forward(self, images: Tensor) -> Tensor:
        self.sizes.append(tuple(images.shape))
        bright = images.mean(1, keepdim=True)  # normalised: 0 is between black and white
        return torch.cat([-bright, bright], 1)


def test_evaluation_at_the_masks_size_and_in_its_own_mode() -> None:
    network = Threshold().train()
    assert evaluate(network, Pairs(), (32, 48), batch_size=2).mean_iou == 1
    assert network.sizes == [(2, 3, 32, 48), (2, 3, 32, 48), (1, 3, 32, 48)]
    assert network.training
    quality = evaluate(network, Pairs(), (16, 16), batch_size=8, limit=3)
    assert network.sizes[-1] == (3, 3, 16, 16)
    assert quality.images == 3
    assert 0.9 < quality.mean_iou < 1


def test_evaluation_normalises_the_images_and_keeps_frozen_parts() -> None:
    class Recorder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.frozen = nn.BatchNorm2d(3).eval()

        def forward(self, images: Tensor) -> Tensor:
            assert not self.training
            self.seen = images
            return images[:, :2]

    network, pairs = Recorder(), Pairs(2)
    evaluate(network, pairs, (32, 48))
    assert torch.equal(network.seen, normalise(torch.stack([pairs[0][0], pairs[1][0]])))
    assert network.training
    assert not network.frozen.training


# Checkpoints


def test_checkpoint_round_trip(tmp_path: Path) -> None:
    tensors = {"a": torch.arange(6.0).view(2, 3).t(), "b": torch.tensor(3, dtype=torch.int64)}
    save_checkpoint(tmp_path / "deep" / "c", tensors, {"step": 4})
    loaded, document = load_checkpoint(tmp_path / "deep" / "c")
    assert all(torch.equal(loaded[key], tensors[key]) for key in tensors)
    assert document == {"schema": 2, "step": 4}


def test_weights_round_trip(tmp_path: Path) -> None:
    network, other = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 1)
    save_checkpoint(tmp_path / "w", with_prefix(network, WEIGHTS), {"name": "x"})
    assert load_weights(other, tmp_path / "w")["name"] == "x"
    assert torch.equal(network.weight, other.weight)
    with pytest.raises(UserError, match="weights of another network"):
        load_weights(nn.Conv2d(3, 4, 1), tmp_path / "w")


def test_unreadable_checkpoints(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no file"):
        load_checkpoint(tmp_path / "nothing")
    (tmp_path / "text").write_text("no checkpoint")
    with pytest.raises(UserError, match="unreadable"):
        load_checkpoint(tmp_path / "text")
    save_checkpoint(tmp_path / "newer", {}, {"schema": 99})
    with pytest.raises(UserError, match="schema 99"):
        load_checkpoint(tmp_path / "newer")


def test_every_flipped_bit_of_a_checkpoint_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "c"
    save_checkpoint(path, {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor(3)}, {"step": 4})
    content = path.read_bytes()
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(UserError, match="checkpoint: got"):
            load_checkpoint(path)


def test_a_checkpoint_of_the_first_version_has_no_checksum(tmp_path: Path) -> None:
    path = tmp_path / "c"
    path.write_bytes(safetensors.torch.save({"a": torch.ones(2)}, {"document": '{"schema": 1, "step": 4}'}))
    tensors, document = load_checkpoint(path)
    assert torch.equal(tensors["a"], torch.ones(2))
    assert document["step"] == 4
    path.write_bytes(safetensors.torch.save({"a": torch.ones(2)}, {"document": '{"schema": 2, "step": 4}'}))
    with pytest.raises(UserError, match="its content is not what its checksum says"):
        load_checkpoint(path)


@pytest.mark.parametrize("kind", ["fifo", "folder", "device"])
def test_a_checkpoint_that_is_no_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "c"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(UserError, match="unreadable"):
        load_checkpoint(path)


def test_checkpoint_in_an_impossible_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        save_checkpoint(tmp_path / "file" / "c", {}, {})
