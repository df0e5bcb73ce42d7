"""Where a training computes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from foundation.errors import UserError
from segmentation.evaluation import device_of
from segmentation.supernet.training import train_supernet
from segmentation.training.checkpoint import damage_told
from segmentation.training.processor import computed_on, processor
from segmentation.training.scenes import learn_scenes
from segmentation.training.settings import TrainSettings
from segmentation.training.train import train, trained_teacher
from tests.segmentation.blobs import blob_source
from tests.segmentation.supernet.test_training import SETTINGS, draw_nets, make_supernet
from tests.segmentation.training.test_train import TinyNet

MISSING = "cuda:99"
SHORT = TrainSettings(input_size=(32, 32), steps=12, batch_size=4, threads=1)
SOURCE = blob_source()


@pytest.mark.parametrize(
    "training",
    [
        lambda: train(TinyNet(), SOURCE, replace(SHORT, device=MISSING)),
        lambda: trained_teacher(SOURCE, replace(SHORT, device=MISSING), checkpoint=None),
        lambda: learn_scenes(TinyNet(), 2, device=MISSING),
        lambda: train_supernet(make_supernet(), SOURCE, draw_nets, replace(SETTINGS, device=MISSING)),
    ],
)
def test_a_missing_gpu_is_told(training: Callable[[], object]) -> None:
    with pytest.raises(UserError, match=r"training device cuda:99.*--training-device cpu"):
        training()


def test_networks_come_back_after_an_error() -> None:
    net = nn.Linear(2, 2)
    with pytest.raises(KeyboardInterrupt), computed_on(processor("cpu"), net, None):
        raise KeyboardInterrupt
    assert device_of(net) == torch.device("cpu")


def test_too_little_memory_is_told_and_no_damage_to_a_checkpoint(tmp_path: Path) -> None:
    net = nn.Linear(2, 2)
    with (
        pytest.raises(UserError, match=r"too little memory.*smaller --batch-size") as told,
        computed_on(processor("cpu"), net),
        damage_told(tmp_path / "net.safetensors"),
    ):
        raise torch.OutOfMemoryError("CUDA out of memory")
    assert "checkpoint" not in str(told.value)


def test_another_device_may_continue() -> None:
    assert SHORT.difference(replace(SHORT, device="cuda").to_json()) is None


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
class TestOnAGpu:
    def test_a_network_learns_as_on_a_cpu(self) -> None:
        settings = replace(SHORT, steps=150, batch_size=8)
        scores = []
        for device in ("cpu", "cuda"):
            result = train(TinyNet(), SOURCE, replace(settings, device=device))
            assert device_of(result.network) == torch.device("cpu")
            scores.append(result.quality.mean_iou)
        assert abs(scores[0] - scores[1]) < 0.1

    def test_the_teacher_runs_there_and_comes_back(self) -> None:
        teacher = TinyNet(seed=1)
        train(TinyNet(), SOURCE, replace(SHORT, device="cuda"), teacher=teacher)
        assert device_of(teacher) == torch.device("cpu")

    def test_the_cpu_continues(self, tmp_path: Path) -> None:
        def stop(progress: object) -> None:
            if getattr(progress, "done", 0) == 5:
                raise KeyboardInterrupt

        checkpoint = tmp_path / "net.safetensors"
        with pytest.raises(KeyboardInterrupt):
            train(TinyNet(), SOURCE, replace(SHORT, device="cuda"), checkpoint=checkpoint, on_progress=stop)
        assert train(TinyNet(), SOURCE, SHORT, checkpoint=checkpoint).steps == 12

    def test_a_supernet(self) -> None:
        supernet = make_supernet()
        losses = train_supernet(supernet, SOURCE, draw_nets, replace(SETTINGS, steps=60, device="cuda"))
        assert device_of(supernet) == torch.device("cpu")
        assert sum(losses[-10:]) < sum(losses[:10])
