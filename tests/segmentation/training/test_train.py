import errno
import json
import re
import signal
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from foundation.errors import UserError
from segmentation.data.registry import open_source
from segmentation.data.source import DataSource
from segmentation.evaluation import evaluate
from segmentation.losses import segmentation_loss
from segmentation.normalisation import normalise
from segmentation.training.checkpoint import load_checkpoint, load_weights, save_checkpoint
from segmentation.training.loop import TrainingProgress
from segmentation.training.settings import TrainSettings, warm_up_cosine
from segmentation.training.train import TrainingResult, train
from tests.segmentation.blobs import blob_source


class TinyNet(nn.Sequential):
    """A few convolutions with a wide view; at 4 x 4 in the middle."""

    def __init__(self, classes: int = 2, seed: int = 0) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            super().__init__(
                *_block(3, 12),
                *_block(12, 24),
                *_block(24, 24),
                nn.Conv2d(24, 24, 5, padding=2),
                nn.ReLU(),
                nn.Conv2d(24, classes * 16, 3, padding=1),
                nn.PixelShuffle(4),
                nn.Upsample(scale_factor=2, mode="bilinear"),
            )


def _block(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]


@pytest.fixture(scope="module")
def source() -> DataSource:
    return open_source("synthetic:50", size=(48, 48))


_SHORT = TrainSettings(input_size=(48, 48), epochs=3, batch_size=16, threads=1)


class Interrupter:
    """Ctrl-C after a number of updates."""

    def __init__(self, step: int) -> None:
        self.step = step

    def __call__(self, progress: TrainingProgress) -> None:
        if progress.done == self.step:
            raise KeyboardInterrupt


def _weights(result: TrainingResult) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in result.network.state_dict().items()}


def test_a_tiny_net_learns(source: DataSource) -> None:
    settings = TrainSettings(input_size=(48, 48), epochs=40, batch_size=20, threads=1, evaluate_every=40, augment=False)
    result = train(TinyNet(), source, settings)
    masks = torch.stack([source.validation[index][1] for index in range(len(source.validation))])
    share = (masks == 0).float().mean().item()
    all_background = share / 2  # IoU of the background is its share, IoU of the person is 0
    all_person = (1 - share) / 2
    assert result.quality.mean_iou > max(all_background, all_person) + 0.2
    assert result.history[-1].loss < 0.7 * result.history[0].loss


@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_interrupted_and_resumed_equals_uninterrupted(source: DataSource, tmp_path: Path, step: int) -> None:
    whole = train(TinyNet(), source, _SHORT, checkpoint=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(TinyNet(), source, _SHORT, checkpoint=tmp_path / "half", on_progress=Interrupter(step))
    resumed = train(TinyNet(seed=9), source, _SHORT, checkpoint=tmp_path / "half")
    assert resumed.history == whole.history
    assert resumed.quality == whole.quality
    for name, value in _weights(resumed).items():
        assert torch.equal(value, whole.network.state_dict()[name]), name


def test_ctrl_c_between_forward_pass_and_update_changes_nothing(
    source: DataSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The forward pass has changed the statistics of batch normalisation by then."""
    whole = train(TinyNet(), source, _SHORT)
    calls = []

    def then_ctrl_c(*arguments: Any, **settings: Any) -> Tensor:
        calls.append(len(calls))
        if len(calls) == 4:
            signal.raise_signal(signal.SIGINT)
        return segmentation_loss(*arguments, **settings)

    with monkeypatch.context() as patch:
        patch.setattr("segmentation.training.train.segmentation_loss", then_ctrl_c)
        with pytest.raises(KeyboardInterrupt):
            train(TinyNet(), source, _SHORT, checkpoint=tmp_path / "half")
    resumed = train(TinyNet(seed=9), source, _SHORT, checkpoint=tmp_path / "half")
    assert resumed.history == whole.history
    for name, value in _weights(resumed).items():
        assert torch.equal(value, whole.network.state_dict()[name]), name


def test_interruption_during_evaluation_loses_nothing(
    source: DataSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(TinyNet(), source, _SHORT)
    with monkeypatch.context() as patch:
        patch.setattr("segmentation.training.train.evaluate", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(TinyNet(), source, _SHORT, checkpoint=tmp_path / "half")
    resumed = train(TinyNet(), source, _SHORT, checkpoint=tmp_path / "half")
    assert resumed.history == whole.history


def _interrupt(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def test_finished_training_resumes_to_its_result(source: DataSource, tmp_path: Path) -> None:
    first = train(TinyNet(), source, _SHORT, checkpoint=tmp_path / "c")
    steps: list[TrainingProgress] = []
    again = train(TinyNet(seed=4), source, _SHORT, checkpoint=tmp_path / "c", on_progress=steps.append)
    assert not steps
    assert again.quality == first.quality
    assert all(torch.equal(a, b) for a, b in zip(_weights(again).values(), _weights(first).values(), strict=True))


def test_resume_without_a_checkpoint_starts(source: DataSource, tmp_path: Path) -> None:
    result = train(TinyNet(), source, _SHORT, checkpoint=tmp_path / "new" / "c")
    assert result.steps == 6
    assert result.checkpoint is not None
    assert result.checkpoint.exists()


def test_result_is_the_moving_average_in_the_checkpoint(source: DataSource, tmp_path: Path) -> None:
    result = train(TinyNet(), source, _SHORT, checkpoint=tmp_path / "c")
    assert not result.network.training
    other = TinyNet(seed=5)
    document = load_weights(other, tmp_path / "c")
    assert document["classes"] == ["background", "person"]
    assert json.loads(json.dumps(document))["step"] == 6
    assert evaluate(other, source.validation, (48, 48)) == result.quality
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in _weights(result).items())
    tensors, _ = load_checkpoint(tmp_path / "c")
    assert not torch.equal(tensors["weights.0.weight"], tensors["trained.0.weight"])


def test_progress_after_every_update(source: DataSource) -> None:
    seen: list[TrainingProgress] = []
    result = train(TinyNet(), source, _SHORT, on_progress=seen.append)
    assert [progress.done for progress in seen] == [1, 2, 3, 4, 5, 6]
    assert {progress.total for progress in seen} == {6}
    assert all(re.fullmatch(r"loss \d\.\d{3}", progress.note) for progress in seen)
    assert [progress.note for progress in seen] == [f"loss {progress.loss:.3f}" for progress in seen]
    assert [progress.learning_rate for progress in seen] == [_SHORT.rate(step, 6) for step in range(6)]
    # The end of each epoch is an evaluation.
    assert [progress.mean_iou for progress in seen[1::2]] == [record.mean_iou for record in result.history]
    assert [progress.mean_iou for progress in seen[::2]] == [None] * 3
    first, second, third = (seen[update].best_mean_iou for update in (1, 3, 5))
    assert seen[0].best_mean_iou is None
    assert seen[2].best_mean_iou == first is not None
    assert first <= seen[4].best_mean_iou == second <= third  # type: ignore[operator]


def test_steps_take_the_place_of_epochs(source: DataSource) -> None:
    settings = TrainSettings(input_size=(48, 48), steps=3, batch_size=16, threads=1, evaluate_every=2)
    result = train(TinyNet(), source, settings)
    assert (result.steps, result.epochs) == (3, 2)
    assert [record.mean_iou is None for record in result.history] == [True, False]


def test_batches_larger_than_the_data(source: DataSource) -> None:
    few = open_source("synthetic:5", size=(48, 48))
    result = train(TinyNet(), few, TrainSettings(input_size=(48, 48), steps=2, batch_size=10, threads=1))
    assert result.steps == 2


def test_seed_decides(source: DataSource) -> None:
    first, same = (train(TinyNet(), source, _SHORT) for _ in range(2))
    assert first.history == same.history
    other = train(TinyNet(), source, TrainSettings(input_size=(48, 48), epochs=3, threads=1, seed=1))
    assert other.history[0].loss != first.history[0].loss


class Teacher(nn.Module):
    """Knows where the person of an image is only roughly; remembers what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.sizes: list[tuple[int, ...]] = []

    def forward(self, images: Tensor) -> Tensor:
        self.sizes.append(tuple(images.shape))
        assert not self.training
        x = self.norm(images)[:, :2]
        return nn.functional.avg_pool2d(x, 4)


def test_teacher_of_another_input_and_output_size(source: DataSource) -> None:
    teacher = Teacher().train()
    settings = TrainSettings(input_size=(32, 48), steps=2, batch_size=16, threads=1, teacher_input_size=(64, 64))
    distilled = train(TinyNet(), source, settings, teacher=teacher)
    assert teacher.sizes == [(16, 3, 64, 64)] * 2
    assert teacher.training
    assert int(teacher.norm.num_batches_tracked or 0) == 0
    plain = train(TinyNet(), source, settings)
    assert distilled.history[0].loss > plain.history[0].loss


def test_teacher_helps(source: DataSource) -> None:
    """A teacher that says the truth on images whose labels are missing is the only thing to learn from."""

    class Truth(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            bright = images.mean(1, keepdim=True)
            return torch.cat([-bright, bright], 1) * 8

    network = TinyNet()
    settings = TrainSettings(input_size=(48, 48), epochs=15, dice_weight=0, threads=1, distillation_weight=20)
    train(network, source, settings, teacher=Truth())
    images = torch.stack([source.validation[index][0] for index in range(8)])
    inputs = normalise(images)
    agreement = (network(inputs).argmax(1) == Truth()(inputs).argmax(1)).float().mean().item()
    assert agreement > 0.8


def test_resume_with_other_settings_or_data(source: DataSource, tmp_path: Path) -> None:
    path = tmp_path / "c"
    train(TinyNet(), source, _SHORT, checkpoint=path)
    other = TrainSettings(input_size=(48, 48), epochs=3, batch_size=16, threads=2, learning_rate=1e-3)
    with pytest.raises(UserError, match=r"learning_rate 0\.007 \(now 0\.001\)"):
        train(TinyNet(), source, other, checkpoint=path)
    with pytest.raises(UserError, match="40 images of synthetic:50"):
        train(TinyNet(), open_source("synthetic:60", size=(48, 48)), _SHORT, checkpoint=path)
    with pytest.raises(UserError, match="weights of another network"):
        train(TinyNet(classes=3), source, _SHORT, checkpoint=path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match="unreadable"):
        train(TinyNet(), source, _SHORT, checkpoint=path)


def test_full_disk_leaves_the_checkpoint_before(
    source: DataSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c"
    whole = train(TinyNet(), source, _SHORT)

    def fill_the_disk(progress: TrainingProgress) -> None:
        if progress.done == 3:
            monkeypatch.setattr("os.fsync", _no_space)

    with pytest.raises(UserError, match=r"cannot write .*No space left on device.*free space and resume"):
        train(TinyNet(), source, _SHORT, checkpoint=path, on_progress=fill_the_disk)
    monkeypatch.undo()
    assert [file.name for file in tmp_path.iterdir()] == ["c"]
    assert load_checkpoint(path)[1]["step"] == 2
    assert train(TinyNet(), source, _SHORT, checkpoint=path).history == whole.history


def _no_space(_: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_loss_that_is_no_number(source: DataSource) -> None:
    network = TinyNet()
    with torch.no_grad():
        next(network.parameters())[0, 0, 0, 0] = float("nan")
    with pytest.raises(UserError, match="training loss at step 0: got nan"):
        train(network, source, _SHORT)


@pytest.mark.parametrize(
    "setting", [{"epochs": 0}, {"steps": 0}, {"learning_rate": -1.0}, {"ema_decay": 1.0}, {"input_size": (0, 8)}]
)
def test_settings_out_of_range(setting: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"training setting {next(iter(setting))}"):
        TrainSettings(**setting)


class Spy(TinyNet):
    """Notes the number of torch's threads and its input."""

    def forward(self, images: Tensor) -> Tensor:
        if self.training:
            self.seen = torch.get_num_threads(), tuple(images.shape), images.sum().item()
        output: Tensor = super().forward(images)
        return output


_BASE = TrainSettings(input_size=(32, 32), epochs=2, batch_size=8, threads=1, evaluate_limit=3)
_CHANGES: dict[str, Any] = {
    "input_size": (48, 48),
    "epochs": 3,
    "steps": 1,
    "batch_size": 4,
    "learning_rate": 1e-2,
    "warm_up": 0.9,
    "weight_decay": 0.1,
    "dice_weight": 0.2,
    "distillation_weight": 0.3,
    "temperature": 5.0,
    "teacher_input_size": (64, 64),
    "ema_decay": 0.2,
    "augment": False,
    "evaluate_every": 2,
    "evaluate_limit": 1,
    "seed": 1,
    "threads": 2,
}


@pytest.mark.parametrize("field", [field.name for field in fields(TrainSettings) if field.name != "device"])
def test_every_setting_changes_the_training(field: str) -> None:
    def trained(settings: TrainSettings) -> tuple[object, ...]:
        network = Spy()
        result = train(network, source, settings, teacher=Teacher())
        return [value.tolist() for value in network.state_dict().values()], result.history, network.seen

    source = open_source("synthetic:20", size=(32, 32))
    base, changed = trained(_BASE), trained(replace(_BASE, **{field: _CHANGES[field]}))
    assert changed != base
    if field.startswith("evaluate_"):
        assert changed[0] == base[0]
    if field == "threads":
        assert changed[2][0] == 2  # type: ignore[index]


def test_classes_change_places_in_mirrored_images() -> None:
    source = blob_source()
    settings = TrainSettings(input_size=(32, 32), steps=4, threads=1)
    plain = train(TinyNet(classes=3), source, settings)
    swapped = train(TinyNet(classes=3), replace(source, flip_swaps=((1, 2),)), settings)
    assert swapped.history != plain.history


def test_exchanged_data_are_refused_and_first_release_checkpoints_resume(tmp_path: Path) -> None:
    path = tmp_path / "c"
    settings = TrainSettings(input_size=(32, 32), epochs=2, threads=1)
    train(TinyNet(), blob_source(), settings, checkpoint=path)
    exchanged = blob_source(first=500)
    with pytest.raises(UserError, match="data blobs: got other files or another split"):
        train(TinyNet(), exchanged, settings, checkpoint=path)
    tensors, document = load_checkpoint(path)
    del document["fingerprint"]  # as in the first release
    save_checkpoint(path, tensors, document)
    with pytest.raises(UserError, match=r"labels that are now read otherwise \(255 ignored\)"):
        train(TinyNet(), replace(exchanged, reading="255 ignored"), settings, checkpoint=path)
    assert train(TinyNet(), exchanged, settings, checkpoint=path).steps == 4


def test_learning_rate_rises_and_falls() -> None:
    settings = TrainSettings(learning_rate=1.0, warm_up=0.1)
    rates = [settings.rate(step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == max(rates) == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 0.01
    assert [warm_up_cosine(step, 4, 2) for step in range(4)] == [0.5, 1, 1, 0.5]
