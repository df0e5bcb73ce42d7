from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from torch import Tensor

from foundation.errors import UserError
from foundation.progress import Progress
from segmentation.evaluation import resized, resized_masks
from segmentation.networks.network import Network
from segmentation.networks.plan import INPUT, Layer, Plan
from segmentation.normalisation import normalise
from segmentation.supernet.supernet import Supernet, recalibrate
from segmentation.supernet.training import Draw, SupernetSettings, train_supernet
from segmentation.training.checkpoint import load_checkpoint, save_checkpoint
from segmentation.training.loop import TrainingProgress, apply_gradients
from tests.segmentation.blobs import Blobs, blob_source

SETTINGS = SupernetSettings(steps=8, batch_size=4, checkpoint_every=3)
SOURCE = blob_source()


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
    blobs = Blobs()
    pairs = [blobs[index] for index in range(16)]
    images, masks = torch.stack([image for image, _ in pairs]), torch.stack([mask for _, mask in pairs])
    recalibrate(network, [normalise(images)])
    with torch.no_grad():
        return float((network(normalise(images)).argmax(1) == masks).float().mean())


def test_every_net_of_the_sandwich_learns() -> None:
    supernet = make_supernet()
    reports: list[TrainingProgress] = []
    settings = replace(SETTINGS, steps=60, learning_rate=0.03)
    losses = train_supernet(supernet, SOURCE, draw_nets, settings, on_progress=reports.append)
    assert losses[-1] < 0.6 * losses[0]
    assert [progress.done for progress in reports] == list(range(1, 61))
    assert [progress.note for progress in reports] == [f"loss {loss:.3f}" for loss in losses]
    assert [progress.loss for progress in reports] == losses
    assert [progress.learning_rate for progress in reports] == [settings.rate(step) for step in range(60)]
    for plan in (net(12, 5), net(12, 3)):
        assert accuracy(supernet.extract(plan)) > 0.95


def test_same_seed_same_weights() -> None:
    first, second, other = make_supernet(), make_supernet(), make_supernet()
    train_supernet(first, SOURCE, draw_nets, SETTINGS)
    train_supernet(second, SOURCE, draw_nets, SETTINGS)
    train_supernet(other, SOURCE, draw_nets, replace(SETTINGS, seed=1))
    assert equal(weights(first), weights(second))
    assert not equal(weights(first), weights(other))


def test_the_teacher_changes_the_training_and_is_not_changed() -> None:
    torch.manual_seed(3)
    teacher = Network(net(12, 5))
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    plain, distilled = make_supernet(), make_supernet()
    train_supernet(plain, SOURCE, draw_nets, SETTINGS)
    settings = replace(SETTINGS, teacher_size=(64, 64))
    train_supernet(distilled, SOURCE, draw_nets, settings, teacher=teacher)
    assert not equal(weights(plain), weights(distilled))
    assert equal(before, dict(teacher.state_dict()))
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_interrupted_and_resumed_is_the_same_as_in_one_go(tmp_path: Path) -> None:
    whole, halves = make_supernet(), make_supernet()
    expected = train_supernet(whole, SOURCE, draw_nets, SETTINGS)
    checkpoint = tmp_path / "run" / "supernet.safetensors"

    def press_ctrl_c(progress: Progress) -> None:
        if progress.done == 4:
            signal.raise_signal(signal.SIGINT)

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train_supernet(halves, SOURCE, draw_nets, SETTINGS, checkpoint=checkpoint, on_progress=press_ctrl_c)
    assert signal.getsignal(signal.SIGINT) is handler
    assert [file.name for file in checkpoint.parent.iterdir()] == [checkpoint.name]
    fresh = make_supernet()
    rest = train_supernet(fresh, SOURCE, draw_nets, SETTINGS, checkpoint=checkpoint)
    assert rest == expected[-len(rest) :]
    assert 0 < len(rest) < len(expected)
    assert equal(weights(fresh), weights(whole))
    # Nothing is left to do, and the weights are there.
    again = make_supernet()
    assert train_supernet(again, SOURCE, draw_nets, SETTINGS, checkpoint=checkpoint) == []
    assert equal(weights(again), weights(whole))


def test_ctrl_c_after_the_weights_have_changed_waits_for_the_end_of_the_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, checkpoint, steps = make_supernet(), tmp_path / "supernet.safetensors", []
    train_supernet(whole, SOURCE, draw_nets, SETTINGS)

    def then_ctrl_c(*arguments: Any, **settings: Any) -> None:
        apply_gradients(*arguments, **settings)
        steps.append(len(steps))
        if len(steps) == 4:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("segmentation.supernet.training.apply_gradients", then_ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        train_supernet(make_supernet(), SOURCE, draw_nets, SETTINGS, checkpoint=checkpoint)
    fresh = make_supernet()
    assert len(train_supernet(fresh, SOURCE, draw_nets, SETTINGS, checkpoint=checkpoint)) == 4
    assert equal(weights(fresh), weights(whole))


def test_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    checkpoint = tmp_path / "supernet.safetensors"
    train_supernet(make_supernet(), SOURCE, draw_nets, SETTINGS, checkpoint=checkpoint)
    with pytest.raises(UserError, match="delete the file"):
        train_supernet(make_supernet(), SOURCE, draw_nets, replace(SETTINGS, seed=9), checkpoint=checkpoint)
    with pytest.raises(UserError, match="weights of another network"):
        train_supernet(Supernet(2, [net(8, 5)]), SOURCE, draw_nets, SETTINGS, checkpoint=checkpoint)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"\x00" * 100])
def test_damaged_checkpoint_is_refused(content: bytes, tmp_path: Path) -> None:
    checkpoint = tmp_path / "supernet.safetensors"
    checkpoint.write_bytes(content)
    with pytest.raises(UserError, match=r"supernet\.safetensors"):
        train_supernet(make_supernet(), SOURCE, draw_nets, SETTINGS, checkpoint=checkpoint)


def test_nothing_to_train_with_or_on() -> None:
    with pytest.raises(UserError, match="no pairs"):
        train_supernet(make_supernet(), blob_source(0), draw_nets, SETTINGS)
    with pytest.raises(UserError, match="nets to train"):
        train_supernet(make_supernet(), SOURCE, lambda _rng: [], SETTINGS)


def first_update(settings: SupernetSettings) -> float:
    """The largest change of a weight in the first step."""
    supernet = make_supernet()
    before = weights(supernet)

    def stop(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_supernet(supernet, SOURCE, draw_nets, settings, on_progress=stop)
    return max(float((value - before[name]).abs().max()) for name, value in weights(supernet).items())


def test_the_learning_rate_rises_in_the_first_tenth_of_the_steps() -> None:
    # AdamW's first update is the learning rate, for every weight.
    settings = replace(SETTINGS, learning_rate=0.01, weight_decay=0)
    assert first_update(replace(settings, steps=10)) == pytest.approx(0.01, rel=0.01)
    assert first_update(replace(settings, steps=40)) == pytest.approx(0.01 / 4, rel=0.01)
    rates = [replace(settings, steps=100).rate(step) for step in range(100)]
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert max(rates) == 0.01
    assert rates[-1] < 0.0001


CHANGES: dict[str, object] = {
    "steps": 9,
    "batch_size": 5,
    "learning_rate": 0.02,
    "weight_decay": 0.1,
    "distillation_weight": 0.9,
    "temperature": 4.0,
    "teacher_size": (64, 64),
    "gradient_norm": 0.01,
    "checkpoint_every": 2,
    "seed": 1,
}


def trained(settings: SupernetSettings, folder: Path, teacher: Network | None) -> tuple[object, ...]:
    """What a training leaves behind: weights, losses, and the steps at which a checkpoint was written."""
    supernet, checkpoint, saved = make_supernet(), folder / "c", set()

    def look(progress: Progress) -> None:
        if checkpoint.exists():
            saved.add(load_checkpoint(checkpoint)[1]["step"])

    losses = train_supernet(
        supernet, SOURCE, draw_nets, settings, teacher=teacher, checkpoint=checkpoint, on_progress=look
    )
    return [value.tolist() for value in weights(supernet).values()], losses, saved


@pytest.mark.parametrize("field", [field.name for field in fields(SupernetSettings) if field.name != "device"])
def test_every_setting_changes_the_training(field: str, tmp_path: Path) -> None:
    """The distillation's settings act without a teacher too: the first net of a step is the others' teacher."""
    teacher = Network(net(12, 5)) if field == "teacher_size" else None
    base = trained(SETTINGS, tmp_path / "base", teacher)
    changed = trained(replace(SETTINGS, **{field: CHANGES[field]}), tmp_path / "changed", teacher)
    assert changed != base
    if field == "checkpoint_every":
        assert (base[2], changed[2]) == ({3, 6, 8}, {2, 4, 6, 8})
        assert changed[:2] == base[:2]


def test_only_the_first_net_of_a_step_is_not_distilled() -> None:
    def only_the_first(rng: Random) -> Sequence[Draw]:
        return draw_nets(rng)[:1]

    first, second = make_supernet(), make_supernet()
    train_supernet(first, SOURCE, only_the_first, SETTINGS)
    train_supernet(second, SOURCE, only_the_first, replace(SETTINGS, distillation_weight=0.9))
    assert equal(weights(first), weights(second))


def test_the_first_release_checkpoints_resume(tmp_path: Path) -> None:
    """They name tensors otherwise and have no fingerprint of the data."""
    whole, resumed, checkpoint = make_supernet(), make_supernet(), tmp_path / "c"
    train_supernet(whole, SOURCE, draw_nets, SETTINGS)

    def stop(progress: Progress) -> None:
        if progress.done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_supernet(make_supernet(), SOURCE, draw_nets, SETTINGS, checkpoint=checkpoint, on_progress=stop)
    tensors, document = load_checkpoint(checkpoint)
    names = [name for name, _ in resumed.named_parameters()]

    def first_release(key: str) -> str:
        kind, rest = key.split(".", 1)
        if kind == "weights":
            return f"weight|{rest}"
        position, entry = rest.split(".")
        return f"optimizer|{entry}|{names[int(position)]}"

    del document["fingerprint"]
    save_checkpoint(checkpoint, {first_release(key): value for key, value in tensors.items()}, document)
    train_supernet(resumed, SOURCE, draw_nets, SETTINGS, checkpoint=checkpoint)
    assert equal(weights(resumed), weights(whole))


def test_exchanged_data_are_refused(tmp_path: Path) -> None:
    checkpoint = tmp_path / "c"
    train_supernet(make_supernet(), SOURCE, draw_nets, SETTINGS, checkpoint=checkpoint)
    with pytest.raises(UserError, match="data blobs: got other files or another split"):
        train_supernet(make_supernet(), blob_source(first=500), draw_nets, SETTINGS, checkpoint=checkpoint)


def test_resizing() -> None:
    image, mask = Blobs()[0]
    assert resized(image[None], (16, 24)).shape == (1, 3, 16, 24)
    smaller = resized_masks(mask[None], (16, 16))
    assert smaller.dtype == torch.int64
    assert set(smaller.unique().tolist()) == {0, 1}
    assert torch.equal(resized_masks(torch.full((1, 4, 4), 255), (2, 2)), torch.full((1, 2, 2), 255))
