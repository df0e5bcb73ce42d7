"""Stored outputs of a teacher and photographs without masks in a training."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
import torch
from torch import Tensor

from foundation.errors import UserError
from search.spaces.portrait.space import PortraitSpace
from segmentation.data.source import DataSource, PairDataset
from segmentation.losses import IGNORE, distillation_from_probabilities
from segmentation.supernet.supernet import Supernet
from segmentation.supernet.training import SupernetSettings, train_supernet
from segmentation.training.augmentation import Augmentation
from segmentation.training.order import drawn
from segmentation.training.settings import TrainSettings
from segmentation.training.soft_labels import SoftLabels, soft_label
from segmentation.training.teaching import Batch, StoredTargets, Teaching
from segmentation.training.train import train
from tests.segmentation.blobs import Blobs, blob_source
from tests.segmentation.training.test_train import TinyNet

_SETTINGS = TrainSettings(input_size=(32, 32), epochs=2, threads=1)


class WithoutMasks(Blobs):
    def make(self, index: int) -> tuple:  # type: ignore[type-arg]
        image, mask = super().make(index)
        mask[:] = IGNORE
        return image, mask


def answers(part: PairDataset, size: int = 32, *, sure: float = 1.0) -> SoftLabels:
    """What a teacher says that finds the bright square in every picture."""
    red = torch.stack([part[index][0][0] for index in range(len(part))])
    person = torch.nn.functional.adaptive_avg_pool2d((red > 0.5).float()[:, None], size)
    shares = 0.5 + sure * (person - 0.5)
    planes = torch.stack([soft_label(torch.cat([1 - share, share])) for share in shares])
    return SoftLabels(planes, torch.ones(len(part), dtype=torch.bool))


def stored(source: DataSource, size: int = 32) -> Teaching:
    return Teaching(StoredTargets("red", answers(source.train, size)))


def test_probabilities_survive_eight_bits() -> None:
    probabilities = torch.rand(5, 3, 4, 6).softmax(1)
    labels = SoftLabels(torch.stack([soft_label(each) for each in probabilities]), torch.tensor([True] * 4 + [False]))
    torch.testing.assert_close(labels.batch([3, 0]), probabilities[[3, 0]], atol=0.005, rtol=0)
    assert labels.batch([4]).abs().max() == 0
    indices, known = labels.only_known()
    assert indices == [0, 1, 2, 3]
    assert len(SoftLabels.joined([known, labels])) == 9


def test_image_mask_and_probabilities_are_moved_alike() -> None:
    """A mask as an image and as probabilities is the same after any change of geometry."""
    rng = torch.Generator().manual_seed(3)
    corner = torch.zeros(16, 40, 48, dtype=torch.long)
    corner[:, 5:30, 4:20] = 1
    images = corner[:, None].expand(-1, 3, -1, -1).float()
    probabilities = torch.nn.functional.one_hot(corner, 3).permute(0, 3, 1, 2).float()
    moved = Augmentation(colour=0, gain=0, grey=0, noise=0).of_batch(Batch(images, corner, probabilities), rng)
    assert moved.probabilities is not None
    torch.testing.assert_close(moved.probabilities[:, 1], moved.images[:, 0], atol=1e-3, rtol=0)
    assert ((moved.probabilities[:, 1] > 0.5) != (moved.masks == 1)).float().mean() < 0.02
    assert (moved.masks != corner).float().mean() > 0.05


def test_probabilities_of_left_and_right_change_places_where_masks_do() -> None:
    rng = torch.Generator().manual_seed(0)
    masks = torch.randint(3, (8, 16, 16), generator=rng)
    probabilities = torch.nn.functional.one_hot(masks, 3).permute(0, 3, 1, 2).float()
    mirror = Augmentation(zoom=1, stretch=1, turn_degrees=0, shift=0)
    moved = mirror.of_batch(Batch(torch.rand(8, 3, 16, 16), masks, probabilities), rng, [(1, 2)])
    assert moved.probabilities is not None
    assert torch.equal(moved.probabilities.argmax(1), moved.masks)


@pytest.mark.parametrize("size", [3, 16, 32, 100])
def test_a_teacher_of_any_size_gives_a_loss_of_usual_size(size: int) -> None:
    """Even where teacher and student are sure of opposite classes."""
    source = blob_source()
    batch = stored(source, size).batch(source, range(4))
    assert batch.probabilities is not None
    opposite = torch.stack([batch.masks, 1 - batch.masks], 1).float() * 20
    assert 1 < distillation_from_probabilities(opposite, batch.probabilities).item() < 100
    network = TinyNet()
    result = train(network, source, _SETTINGS, teaching=stored(source, size))
    plain = train(TinyNet(), source, _SETTINGS)
    assert plain.history[0].loss < result.history[0].loss < plain.history[0].loss + 10


def test_pictures_without_an_answer_do_not_count() -> None:
    logits = torch.randn(2, 2, 8, 8, requires_grad=True)
    probabilities = torch.rand(2, 2, 8, 8).softmax(1)
    known = distillation_from_probabilities(logits[:1], probabilities[:1])
    probabilities[1] = 0
    assert distillation_from_probabilities(logits, probabilities).item() == pytest.approx(known.item())
    nothing = distillation_from_probabilities(logits, torch.zeros(2, 2, 8, 8))
    nothing.backward()  # type: ignore[no-untyped-call]
    assert nothing.item() == 0


def test_stored_answers_teach() -> None:
    """On pictures whose masks say nothing the teacher's answers are the only thing to learn from."""
    source = blob_source()
    unlabelled = WithoutMasks(16)
    silent = type(source)("silent", source.classes, unlabelled, source.validation, source.test)
    settings = TrainSettings(input_size=(32, 32), epochs=20, threads=1, augment=False)
    taught = train(TinyNet(), silent, settings, teaching=Teaching(StoredTargets("red", answers(unlabelled))))
    alone = train(TinyNet(), silent, settings)
    assert taught.quality.mean_iou > alone.quality.mean_iou + 0.2


def test_photographs_without_masks_teach_what_the_teacher_says_of_them() -> None:
    source, more = blob_source(4), WithoutMasks(64, first=1000)
    settings = TrainSettings(input_size=(32, 32), steps=60, batch_size=4, threads=1, augment=False)
    few = StoredTargets("red", answers(source.train))
    many = StoredTargets("red", answers(source.train), answers(more))
    with_more = train(TinyNet(), source, settings, teaching=Teaching(many, more)).quality.mean_iou
    assert with_more > train(TinyNet(), source, settings, teaching=Teaching(few)).quality.mean_iou


def test_a_teacher_that_runs_in_every_step_sees_them_too() -> None:
    seen: list[int] = []

    class Counting(torch.nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            seen.append(len(images))
            return images[:, :2]

    settings = TrainSettings(input_size=(32, 32), steps=2, batch_size=4, threads=1)
    train(TinyNet(), blob_source(), settings, teacher=Counting(), teaching=Teaching(unlabelled=WithoutMasks(5)))
    assert seen == [8, 8]


def test_endless_passes_over_the_photographs() -> None:
    order = [number for step in range(7) for number in drawn(5, step, 3, seed=1)]
    assert [sorted(order[turn : turn + 5]) for turn in range(0, 20, 5)] == [[0, 1, 2, 3, 4]] * 4
    assert order[:5] != order[5:10]
    assert drawn(5, 0, 3, seed=2) != drawn(5, 0, 3, seed=1)
    assert drawn(0, 4, 3, seed=1) == []


def test_interrupted_and_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    source, more = blob_source(), WithoutMasks(7, first=1000)
    teaching = Teaching(StoredTargets("red", answers(source.train), answers(more)), more)
    whole = train(TinyNet(), source, _SETTINGS, teaching=teaching)

    def ctrl_c(progress: object) -> None:
        if progress.done == 3:  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(TinyNet(), source, _SETTINGS, teaching=teaching, checkpoint=tmp_path / "half", on_progress=ctrl_c)
    resumed = train(TinyNet(seed=5), source, _SETTINGS, teaching=teaching, checkpoint=tmp_path / "half")
    assert resumed.history == whole.history
    for other in (
        Teaching(),
        Teaching(teaching.stored, WithoutMasks(6)),
        Teaching(StoredTargets("blue", answers(source.train))),
    ):
        with pytest.raises(UserError, match="another teacher or other photographs without masks"):
            train(TinyNet(), source, _SETTINGS, teaching=other, checkpoint=tmp_path / "half")


def test_a_supernet_learns_from_them(tmp_path: Path) -> None:
    source, more = blob_source(), WithoutMasks(7, first=1000)
    space = PortraitSpace(sizes=[(128, 128)])
    plan = space.plan(min(space.sample(8, Random(0)), key=space.parameters))
    settings = SupernetSettings(steps=1, batch_size=2)

    def trained(teaching: Teaching, checkpoint: Path | None = None) -> Tensor:
        torch.manual_seed(0)
        supernet = Supernet(2, [plan])
        train_supernet(
            supernet, source, lambda _: [(plan, (32, 32))], settings, teaching=teaching, checkpoint=checkpoint
        )
        return torch.cat([parameter.detach().flatten() for parameter in supernet.parameters()])

    both = Teaching(StoredTargets("red", answers(source.train), answers(more)), more)
    results = [trained(teaching) for teaching in (Teaching(), stored(source), both)]
    assert not torch.equal(results[0], results[1])
    assert not torch.equal(results[1], results[2])
    assert torch.equal(results[2], trained(both, tmp_path / "c"))
    with pytest.raises(UserError, match="delete the file to train from the start"):
        trained(stored(source), tmp_path / "c")
