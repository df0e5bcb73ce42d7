"""What networks learn before the data."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from segmentation.data.synthetic.source import SyntheticPeople
from segmentation.training import scenes
from segmentation.training.loop import TrainingProgress
from segmentation.training.scenes import learn_scenes


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenes, "_BATCH", 2)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1))


def learned(steps: int, checkpoint: Path | None = None, seed: int = 0) -> dict[str, torch.Tensor]:
    net = network()
    learn_scenes(net, steps, seed=seed, threads=1, checkpoint=checkpoint)
    return net.state_dict()


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, second[name]) for name, value in first.items())


def test_it_learns_and_repeats_itself_for_a_seed() -> None:
    first = learned(3)
    assert not same(first, network().state_dict())
    assert same(first, learned(3))
    assert not same(first, learned(3, seed=1))


def test_an_interrupted_training_ends_alike(tmp_path: Path) -> None:
    def stop(progress: TrainingProgress) -> None:
        if progress.done == 1:
            raise KeyboardInterrupt

    checkpoint = tmp_path / "scenes.safetensors"
    with pytest.raises(KeyboardInterrupt):
        learn_scenes(network(), 3, threads=1, checkpoint=checkpoint, on_progress=stop)
    assert same(learned(3, checkpoint), learned(3))


def test_a_finished_training_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = tmp_path / "scenes.safetensors"
    first = learned(2, checkpoint)
    monkeypatch.setattr(SyntheticPeople, "make", lambda *_: pytest.fail("a scene was rendered"))
    assert same(first, learned(2, checkpoint))


def test_no_more_scenes_than_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    make = SyntheticPeople.make
    monkeypatch.setattr(SyntheticPeople, "make", lambda self, index: seen.append(index) or make(self, index))
    monkeypatch.setattr(scenes, "_VALIDATION", 1)
    monkeypatch.setattr(scenes, "_MOST_SCENES", 4)
    learned(6)
    assert len(set(seen)) == 4
